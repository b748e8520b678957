"""Lines of label files: read by the count of their numbers, never guessed."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.annotations.yolo_labels import LabelReader
from locvlm.errors import InputError
from locvlm.geometry import coords_of

NAMES = {0: "crate"}
SIZE = (100, 100)


def read(folder: Path, text: str, keypoints: int = 0) -> tuple[list[tuple[float, ...]], Counter]:  # type: ignore[type-arg]
    file = folder / "a.txt"
    file.write_text(text)
    reader = LabelReader(NAMES, keypoints, Counter())
    found = reader.read(file, SIZE)
    reader.check()
    return [
        tuple(round(v, 6) for v in coords_of(item.box)) for item in found.objects
    ], +reader.drops


def refuse(folder: Path, text: str, keypoints: int = 0) -> str:
    with pytest.raises(InputError) as caught:
        read(folder, text, keypoints)
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "0,0.3,0.5,0.2,0.4",
        "0, 0.3, 0.5, 0.2, 0.4",
        "0;0.3;0.5;0.2;0.4",
        "0\t0.3\t0.5\t0.2\t0.4",
        "0 0,3 0,5 0,2 0,4",
        "0 0.3 0.5 0.2 0.4,",
    ],
)
def test_separators(text: str, tmp_path: Path) -> None:
    assert read(tmp_path, text)[0] == [(20, 30, 40, 70)]


def test_commas_that_may_be_both_are_refused(tmp_path: Path) -> None:
    assert "0,0,3,0,5" not in refuse(tmp_path, "0,0,3,0,5,0,2,0,4")


def test_a_fifth_number_is_refused(tmp_path: Path) -> None:
    assert "a confidence, an angle" in refuse(tmp_path, "0 .3 .5 .2 .4 .9")


class TestWhatAnUprightBoxLoses:
    def test_a_rotated_box(self, tmp_path: Path) -> None:
        boxes, drops = read(tmp_path, "0 .3 .1 .5 .3 .3 .5 .1 .3")
        assert boxes == [(10, 10, 50, 50)]
        assert drops == {"rotated boxes, of which the upright box around them is taken": 1}

    def test_nothing_of_an_upright_one(self, tmp_path: Path) -> None:
        boxes, drops = read(tmp_path, "0 .1 .1 .4 .1 .4 .5 .1 .5")
        assert boxes == [(10, 10, 40, 50)]
        assert drops == {"rotated boxes that stand upright (four corners), read as boxes": 1}

    def test_a_polygon_among_boxes(self, tmp_path: Path) -> None:
        boxes, drops = read(tmp_path, "0 .5 .5 .2 .2\n0 .1 .1 .4 .1 .4 .5")
        assert boxes == [(40, 40, 60, 60), (10, 10, 40, 50)]
        assert drops == {"polygons, of which the upright box around them is taken": 1}

    def test_key_points(self, tmp_path: Path) -> None:
        boxes, drops = read(tmp_path, "0 .5 .5 .2 .2 .5 .5 2 0 0 0", keypoints=6)
        assert boxes == [(40, 40, 60, 60)]
        assert drops == {"key points, of which the box alone is read": 1}
        assert "kpt_shape says 6 more" in refuse(tmp_path, "0 .5 .5 .2 .2 .5 .5", keypoints=6)


class TestKeyPointsWithoutShape:
    """Box and points in an even count of numbers look like a polygon."""

    pose = "0 .5 .5 .4 .4 .4 .4 .6 .6 .5 .5\n0 .4 .4 .4 .4 .3 .3 .5 .5 0 0\n"
    seen = "0 .5 .5 .4 .4 .4 .4 2 .6 .6 1 .5 .5 2 0 0 0\n"

    @pytest.mark.parametrize("text", [pose, seen])
    def test_refused(self, text: str, tmp_path: Path) -> None:
        message = refuse(tmp_path, text)
        assert "may be a polygon of" in message
        assert "kpt_shape" in message

    def test_said_to_be_polygons(self, tmp_path: Path) -> None:
        assert len(read(tmp_path, self.pose, keypoints=-1)[0]) == 2

    def test_lines_that_prove_polygons(self, tmp_path: Path) -> None:
        text = f"{self.pose}0 .1 .1 .4 .1 .4 .5 .3 .6 .1 .5\n"
        assert len(read(tmp_path, text)[0]) == 3


@given(
    st.lists(
        st.tuples(*[st.floats(0.1, 0.4), st.floats(0.1, 0.4), st.floats(0.05, 0.2)]),
        min_size=1,
        max_size=4,
        unique=True,
    )
)
def test_boxes_are_always_boxes(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[float, float, float]]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    text = "".join(f"0 {x} {y} {w} {w}\n" for x, y, w in rows)
    boxes, drops = read(folder, text)
    assert len(boxes) == len(rows)
    for (x, y, w), box in zip(rows, boxes, strict=True):
        wanted = (max(x - w / 2, 0), max(y - w / 2, 0), x + w / 2, y + w / 2)
        assert box == pytest.approx(tuple(100 * v for v in wanted), abs=1e-4)
    assert set(drops) <= {"boxes clipped to the picture"}
