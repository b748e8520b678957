import sys

import numpy as np
import pytest
from PIL import Image

from locvlm.errors import InputError
from locvlm.instructions import face_detector
from locvlm.instructions.face_detector import SIDES, find_faces
from locvlm.models.sources import CENTERFACE, cache_dir


def grids(rows: int = 6, columns: int = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    shape = (2, rows, columns)
    return tuple(np.zeros((1, *shape[n:]), np.float32) for n in (1, 0, 0))  # type: ignore[return-value]


def decoded(chances: np.ndarray, sizes: np.ndarray, offsets: np.ndarray) -> tuple:
    return face_detector._decode(chances[None], sizes, offsets)


def test_no_face() -> None:
    boxes, chances = decoded(*grids())
    assert boxes.shape == (0, 4)
    assert chances.shape == (0,)


def test_a_face_in_a_cell() -> None:
    chances, sizes, offsets = grids()
    chances[0, 2, 5] = 0.9
    sizes[0, :, 2, 5] = np.log([10, 5])  # cells: 40 pixels high, 20 wide
    offsets[0, :, 2, 5] = 0.25, -0.5  # y, x
    boxes, likely = decoded(chances, sizes, offsets)
    np.testing.assert_allclose(boxes, [[20 - 10, 11 - 20, 20 + 10, 11 + 20]], rtol=1e-6)
    assert likely.tolist() == [pytest.approx(0.9)]


@pytest.mark.parametrize("size", [(1, 1), (640, 480), (10, 768), (3000, 2)])
def test_fits_into_a_square(size: tuple[int, int]) -> None:
    scale = 768 / max(size)
    pixels = face_detector._input_of(Image.new("RGB", size, "white"), 768, scale)
    assert pixels.shape == (1, 3, 768, 768)
    filled = (pixels[0, 0] > 0).any(axis=0).sum(), (pixels[0, 0] > 0).any(axis=1).sum()
    assert filled == tuple(max(1, round(length * scale)) for length in size)


def test_without_opencv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(InputError, match=r"pip install 'locvlm\[faces\]'"):
        face_detector.check_opencv()


@pytest.mark.parametrize("width", [64, SIDES[0] + 1, SIDES[1] + 1])
def test_no_face_in_a_plain_picture(width: int) -> None:
    pytest.importorskip("cv2")
    if not (cache_dir() / "sources" / CENTERFACE.sha256[:16]).is_dir():
        pytest.skip("the weights are not in the cache")
    assert find_faces(Image.new("RGB", (width, 48), "gray")) == []
