"""Detections become annotations: boxes, absences, and what is neither."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from locvlm import annotations as readers
from locvlm.errors import InputError
from locvlm.geometry import iou
from locvlm.instructions.build_files import build_from_files
from locvlm.pseudo import detect as detecting
from locvlm.pseudo.detect import Settings, detect, distinct, judged
from locvlm.pseudo.detectors import Detections


def seen(rows: Sequence[tuple[int, float]], least: float = 0.0) -> Detections:
    """Detections of (label, score), far apart."""
    boxes = [[20 * i, 0, 20 * i + 10, 10] for i in range(len(rows))]
    return Detections(
        np.array(boxes, np.float64).reshape(-1, 4),
        np.array([score for _, score in rows], np.float64),
        np.array([label for label, _ in rows], np.int64),
        least,
    )


def judge(found: Detections, places: Sequence[int] = (0, 1, 2), count: int = 3) -> detecting.Seen:
    return judged(found, (100, 50), np.array(places), count, Settings())


def test_nothing_seen_is_all_absent() -> None:
    row = judge(seen([]))
    assert (row.boxes, row.absent, row.unsure) == ([], [0, 1, 2], [])
    assert (row.width, row.height) == (100, 50)


def test_sure_unsure_absent() -> None:
    row = judge(seen([(0, 0.9), (0, 0.3), (1, 0.1), (2, 0.0999)]))
    assert row.boxes == [(0, 0, 10, 10)]
    assert (row.labels, row.scores) == ([0], [0.9])
    assert row.absent == [2]
    assert row.unsure == [0, 1]  # a second 0, perhaps


def test_on_the_threshold() -> None:
    assert judge(seen([(0, 0.5)])).labels == [0]


def test_nothing_is_absent_where_something_was_cut_off() -> None:
    row = judge(seen([(0, 0.9), (1, 0.2)], least=0.2))
    assert row.labels == [0]
    assert (row.absent, row.unsure) == ([], [0, 1, 2])


def test_what_is_none_of_ours() -> None:
    row = judge(seen([(0, 0.9), (1, 0.9), (2, 0.05)]), places=(-1, 0, 0), count=1)
    assert (row.labels, row.absent, row.unsure) == ([0], [], [])


def test_boxes_without_area() -> None:
    found = Detections(np.array([[5.0, 5, 5, 9]]), np.array([0.9]), np.array([0]))
    row = judge(found)
    assert row.boxes == []


def boxes(count: int) -> st.SearchStrategy[np.ndarray]:
    numbers = arrays(np.float64, (count, 4), elements=st.integers(0, 20))
    return numbers.map(lambda a: np.hstack([a[:, :2], a[:, :2] + a[:, 2:]]))


@given(st.integers(0, 8).flatmap(lambda n: st.tuples(boxes(n), st.permutations(range(n)))))
def test_those_that_stay_do_not_overlap_and_the_rest_do(given: tuple[np.ndarray, list]) -> None:
    found, ranks = given
    scores = np.array(ranks, np.float64)
    labels = np.arange(len(found)) % 2
    kept = distinct(found, scores, labels, 0.5).tolist()
    for row in range(len(found)):
        same = [other for other in kept if labels[other] == labels[row] and other != row]
        overlaps = iou(found[row], found[same])[0] >= 0.5
        surer = scores[same] > scores[row]
        assert (row in kept) == (not (overlaps & surer).any())


class Sham:
    """Sees a dog in the left half of wide pictures, and perhaps a cat."""

    categories = ("cat", "dog", "car", "truck")

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []

    def detect(self, pictures: Sequence[Image.Image]) -> list[Detections]:
        self.sizes += [picture.size for picture in pictures]
        return [
            Detections(
                np.array([[0.0, 0, p.width / 2, p.height], [0, 0, 9, 9]])[: 2 * (p.width > 50)],
                np.array([0.8, 0.2])[: 2 * (p.width > 50)],
                np.array([1, 0])[: 2 * (p.width > 50)],
            )
            for p in pictures
        ]


@pytest.fixture
def sham(monkeypatch: pytest.MonkeyPatch) -> Sham:
    made = Sham()
    monkeypatch.setattr(detecting, "_loaded", lambda *_: made)
    return made


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    Image.new("RGB", (100, 60)).save(folder / "b.png")
    Image.new("RGB", (40, 60)).save(folder / "more/a.PNG")
    (folder / "notes.txt").write_text("no picture")
    (folder / "cut.jpg").write_bytes(b"\xff\xd8\xff")
    return folder


def test_a_file_for_build(tmp_path: Path, photos: Path, sham: Sham) -> None:
    out = tmp_path / "seen.json"
    found = detect(photos, out, Settings())
    assert (found.pictures, found.boxes, found.absences) == (2, 1, 6)
    assert list(found.skipped) == ["cut.jpg"]
    assert sham.sizes == [(100, 60), (40, 60)]
    reader = readers.guess(out)[0]
    data = readers.read(reader, out, images=photos)
    assert data.pseudo["detector"] == "ssd"
    first, second = data.images
    assert [(i.category, i.box.x2) for i in first.objects] == [("dog", 50)]
    assert first.absent_of(data.categories) == ["car", "truck"]
    assert first.not_exhaustive == ("cat",)
    assert second.absent_of(data.categories) == ["cat", "dog", "car", "truck"]
    raw = json.loads(out.read_text())["annotations"]
    assert [item["score"] for item in raw] == [0.8]
    manifest = build_from_files(out, photos, tmp_path / "data", reader=reader)
    assert manifest.counts["locpred"] == 1
    assert manifest.counts["negpred"]
    assert manifest.pseudo["by"] == "pseudo detect"


def test_some_categories_under_other_names(tmp_path: Path, photos: Path, sham: Sham) -> None:
    out = tmp_path / "seen.json"
    names = {"car": "vehicle", "truck": "vehicle", "dog": "pet"}
    detect(photos, out, Settings(names=names))
    data = readers.read("lvis", out, images=photos)
    assert data.categories == ("pet", "vehicle")
    detect(photos, out, Settings(categories=("dog",)))
    assert readers.read("lvis", out, images=photos).categories == ("dog",)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Settings(categories=("unicorn",)), "does not know 'unicorn'; it knows cat, dog"),
        (Settings(names={"horse": "x"}), "does not know 'horse'"),
        (Settings(threshold=0.1, absent_below=0.2), "absent-below ≤ threshold"),
        (Settings(threshold=1.5), "threshold ≤ 1"),
        (Settings(overlap=0.0), "--overlap 0.0"),
    ],
)
def test_settings_that_cannot_be(
    tmp_path: Path, photos: Path, sham: Sham, settings: Settings, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        detect(photos, tmp_path / "seen.json", settings)
    assert not (tmp_path / "seen.json.parts").exists()


def test_no_pictures(tmp_path: Path, sham: Sham) -> None:
    with pytest.raises(InputError, match="no such folder"):
        detect(tmp_path / "none", tmp_path / "seen.json", Settings())
    with pytest.raises(InputError, match="no pictures in it"):
        detect(tmp_path, tmp_path / "seen.json", Settings())
    (tmp_path / "cut.jpg").write_bytes(b"")
    with pytest.raises(InputError, match="nothing that can be read"):
        detect(tmp_path, tmp_path / "seen.json", Settings())
