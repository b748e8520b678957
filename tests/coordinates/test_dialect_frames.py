"""The frames of the dialects: what each family sees of a picture."""

import pytest

from locvlm.coordinates import dialects
from locvlm.coordinates import get as dialect
from locvlm.errors import InputError
from locvlm.geometry import Box, Frame


@pytest.mark.parametrize("name", dialects())
def test_every_dialect_has_a_frame_of_its_own(name: str) -> None:
    spoken = dialect(name)
    frame = spoken.frame((640, 427))
    assert frame.original == (640, 427)
    assert (frame == Frame.identity((640, 427))) == (spoken.relative_to == "image")


def test_shikra_and_llava_1_5_pad_to_a_square() -> None:
    assert dialect("llava-1.5").frame((640, 427)) == Frame.pad_to_square((640, 427), 336)
    assert dialect("shikra").frame((640, 427)) == Frame.pad_to_square((640, 427), 224)
    llava = dialect("llava-1.5")
    whole = Box(0, 0, 400, 200)
    assert llava.encode(whole, llava.frame((400, 200))) == "[0.00, 0.25, 1.00, 0.75]"


def test_qwen2_5_vl_writes_pixels_of_the_resized_picture() -> None:
    qwen = dialect("qwen2.5-vl", max_pixels=28 * 28 * 100)
    frame = qwen.frame((1000, 1000))
    assert frame.model == (280, 280)
    assert qwen.encode(Box(100, 200, 1000, 1000), frame) == '{"bbox_2d": [28, 56, 279, 279]}'


@pytest.mark.parametrize("bounds", [(0, 100), (-1, 100), (200, 100)])
def test_qwen2_5_vl_bounds_must_make_sense(bounds: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="qwen2.5-vl: min_pixels"):
        dialect("qwen2.5-vl", min_pixels=bounds[0], max_pixels=bounds[1])


def test_qwen2_5_vl_refuses_slivers() -> None:
    with pytest.raises(InputError, match=r"201 x 1 pixels is too narrow"):
        dialect("qwen2.5-vl").frame((201, 1))
    assert dialect("qwen2.5-vl").frame((200, 1)).model[1] == 28
