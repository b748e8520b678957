"""Detections become annotations: boxes, absences, and what is neither."""

import json
import re
import struct
import zlib
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
from locvlm.instructions.build_files import BuildOptions, build_from_files
from locvlm.instructions.dataset import read_dataset
from locvlm.pseudo import detect as detecting
from locvlm.pseudo.detect import DetectOptions, classify_boxes, detect, suppress_duplicates
from locvlm.pseudo.detection_file import DetectionRow
from locvlm.pseudo.detectors import DetectorOutput


def seen(rows: Sequence[tuple[int, float]], boxless: Sequence[int] = ()) -> DetectorOutput:
    """Detections of (label, score), far apart."""
    boxes = [[20 * i, 0, 20 * i + 10, 10] for i in range(len(rows))]
    return DetectorOutput(
        np.array(boxes, np.float64).reshape(-1, 4),
        np.array([score for _, score in rows], np.float64),
        np.array([label for label, _ in rows], np.int64),
        frozenset(boxless),
    )


def judge(found: DetectorOutput, places: Sequence[int] = (0, 1, 2), count: int = 3) -> DetectionRow:
    return classify_boxes(found, (100, 50), np.array(places), count, DetectOptions())


def test_nothing_seen_is_all_absent() -> None:
    row = judge(seen([]))
    assert (row.boxes, row.absent, row.unsure) == ([], [0, 1, 2], [])
    assert (row.width, row.height) == (100, 50)


def test_sure_unsure_absent() -> None:
    row = judge(seen([(0, 0.9), (0, 0.3), (1, 0.2), (2, 0.1999)]))
    assert row.boxes == [(0, 0, 10, 10)]
    assert (row.labels, row.scores) == ([0], [0.9])
    assert row.absent == [2]
    assert row.unsure == [0, 1]  # a second 0, perhaps


@pytest.mark.parametrize(
    ("box", "label", "unsure"),
    [
        ((0, 0, 10, 10), 0, []),
        ((0, 0, 10, 3), 0, []),  # an IoU of 0.3: the head of the same
        ((0, 0, 10, 2.9), 0, [0]),
        ((20, 0, 30, 10), 0, [0]),
        ((0, 0, 10, 10), 1, [1]),
    ],
)
def test_less_sure_boxes_in_the_place_of_a_sure_one(
    box: tuple[float, ...], label: int, unsure: list[int]
) -> None:
    found = np.array([(0, 0, 10, 10), box], np.float64)
    row = judge(DetectorOutput(found, np.array([0.9, 0.3]), np.array([0, label])))
    assert (row.labels, row.unsure) == ([0], unsure)


def test_on_the_threshold() -> None:
    assert judge(seen([(0, 0.6)])).labels == [0]
    assert judge(seen([(0, 0.5999)])).unsure == [0]


def test_what_has_no_boxes_is_there() -> None:
    row = judge(seen([(0, 0.9)], boxless=[2]))
    assert (row.labels, row.absent, row.unsure) == ([0], [1], [2])
    row = judge(seen([], boxless=[0, 2]), places=(-1, 0, 1), count=2)
    assert (row.absent, row.unsure) == ([0], [1])


def test_what_is_none_of_ours() -> None:
    row = judge(seen([(0, 0.9), (1, 0.9), (2, 0.15)]), places=(-1, 0, 0), count=1)
    assert (row.labels, row.absent, row.unsure) == ([0], [], [])


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (100, 5, 120, 9), (-9, 5, 0, 9), (5, 5, 5.004, 9)])
def test_boxes_without_area_in_the_picture(box: tuple[float, ...]) -> None:
    row = judge(DetectorOutput(np.array([box]), np.array([0.9]), np.array([0])))
    assert (row.boxes, row.unsure, row.absent) == ([], [0], [1, 2])


def test_boxes_are_cut_to_the_picture() -> None:
    box = np.array([[-3.0, -0.5, 100.004, 50.5]])
    assert judge(DetectorOutput(box, np.array([0.9]), np.array([0]))).boxes == [(0, 0, 100, 50)]


def test_the_surer_of_two_in_one_place() -> None:
    twice = DetectorOutput(
        np.array([[0.0, 0, 10, 10]] * 3), np.array([0.7, 0.9, 0.8]), np.array([0, 0, 1])
    )
    row = judge(twice)
    assert (row.scores, row.labels, row.doubles) == ([0.9, 0.8], [0, 1], 1)


@given(
    st.lists(
        st.tuples(
            st.tuples(*[st.floats(-50, 150)] * 4),
            st.one_of(st.floats(0, 1), st.sampled_from([0.2, 0.6])),
            st.integers(0, 3),
        ),
        max_size=8,
    ),
    st.frozensets(st.integers(0, 3)),
)
def test_every_category_is_there_or_unsure_or_absent(
    rows: list[tuple[tuple[float, ...], float, int]], boxless: frozenset[int]
) -> None:
    found = DetectorOutput(
        np.array([box for box, _, _ in rows], np.float64).reshape(-1, 4),
        np.array([score for _, score, _ in rows], np.float64),
        np.array([label for _, _, label in rows], np.int64),
        boxless,
    )
    row = judge(found, places=(0, 1, 2, -1))
    for x1, y1, x2, y2 in row.boxes:
        assert 0 <= x1 < x2 <= 100
        assert 0 <= y1 < y2 <= 50
    assert {*row.labels, *row.unsure, *row.absent} == {0, 1, 2}
    assert not {*row.labels, *row.unsure} & set(row.absent)
    assert set(row.absent) == {
        place
        for place in range(3)
        if place not in boxless
        and not any(label == place and score >= 0.2 for _, score, label in rows)
    }
    assert boxless - {3} <= set(row.unsure)
    assert len(row.boxes) + row.doubles <= sum(score >= 0.6 for _, score, _ in rows)


def boxes(count: int) -> st.SearchStrategy[np.ndarray]:
    numbers = arrays(np.float64, (count, 4), elements=st.integers(0, 20))
    return numbers.map(lambda a: np.hstack([a[:, :2], a[:, :2] + a[:, 2:]]))


@given(st.integers(0, 8).flatmap(lambda n: st.tuples(boxes(n), st.permutations(range(n)))))
def test_those_that_stay_do_not_overlap_and_the_rest_do(given: tuple[np.ndarray, list]) -> None:
    found, ranks = given
    scores = np.array(ranks, np.float64)
    labels = np.arange(len(found)) % 2
    kept = suppress_duplicates(found, scores, labels, 0.5).tolist()
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

    def detect(self, pictures: Sequence[Image.Image]) -> list[DetectorOutput]:
        self.sizes += [picture.size for picture in pictures]
        if pictures and pictures[0].height == 1:
            raise InputError("60x1 pixels: too narrow")
        return [
            DetectorOutput(
                np.array([[0.0, 0, p.width / 2, p.height], [0, 0, 9, 9]])[: 2 * (p.width > 50)],
                np.array([0.8, 0.2])[: 2 * (p.width > 50)],
                np.array([1, 0])[: 2 * (p.width > 50)],
            )
            for p in pictures
        ]


@pytest.fixture
def sham(monkeypatch: pytest.MonkeyPatch) -> Sham:
    made = Sham()
    monkeypatch.setattr(detecting, "_load_detector", lambda *_: made)
    return made


def png_header(width: int, height: int) -> bytes:
    """A PNG that says how large it is, and has next to nothing in it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(10))
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    Image.new("RGB", (100, 60)).save(folder / "b.png")
    Image.new("RGB", (40, 60)).save(folder / "more/a.PNG")
    (folder / "notes.txt").write_text("no picture")
    (folder / "cut.jpg").write_bytes(b"\xff\xd8\xff")
    return folder


def test_broken_pictures_are_skipped_and_named(tmp_path: Path, photos: Path, sham: Sham) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    Image.fromarray(noise).save(photos / "half.jpg")
    whole = (photos / "half.jpg").read_bytes()
    (photos / "half.jpg").write_bytes(whole[: len(whole) // 2])
    (photos / "empty.jpg").write_bytes(b"")
    (photos / "text.jpg").write_text("no picture at all")
    (photos / "huge.png").write_bytes(png_header(20_000, 20_000))
    (photos / "short.png").write_bytes(png_header(60, 60))
    (photos / "folder.jpg").mkdir()
    (photos / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    out = tmp_path / "seen.json"
    found = detect(photos, out, DetectOptions())
    broken = ["cut.jpg", "empty.jpg", "half.jpg", "huge.png", "short.png", "text.jpg"]
    assert sorted(found.skipped) == sorted([*broken, "gone.jpg"])
    assert "no such file" in found.skipped["gone.jpg"]
    for name in broken:
        reason = found.skipped[name]
        assert reason.startswith(f"{photos / name}: not a readable picture (")
        assert "\n" not in reason
    assert found.pictures == 2
    whole_file = json.loads(out.read_text())
    assert whole_file["info"]["pseudo"]["skipped"] == found.skipped
    assert [item["file_name"] for item in whole_file["images"]] == ["b.png", "more/a.PNG"]


def test_odd_pictures_that_can_be_read(tmp_path: Path, sham: Sham) -> None:
    Image.new("RGB", (100, 60)).save(tmp_path / "png.jpg", format="PNG")
    Image.new("P", (70, 60)).save(tmp_path / "one.gif")
    Image.new("CMYK", (60, 70)).save(tmp_path / "print.jpeg")
    Image.new("I;16", (80, 40)).save(tmp_path / "deep.png")
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter turn
    Image.new("RGB", (90, 30)).save(tmp_path / "phone.jpg", exif=turned)
    found = detect(tmp_path, tmp_path / "seen.json", DetectOptions())
    assert not found.skipped
    images = json.loads((tmp_path / "seen.json").read_text())["images"]
    sizes = {item["file_name"]: (item["width"], item["height"]) for item in images}
    assert sizes.pop("phone.jpg") == (30, 90)  # as displayed
    assert sizes == {
        "png.jpg": (100, 60),
        "one.gif": (70, 60),
        "print.jpeg": (60, 70),
        "deep.png": (80, 40),
    }


def test_a_picture_that_the_detector_refuses(tmp_path: Path, photos: Path, sham: Sham) -> None:
    Image.new("RGB", (60, 1)).save(photos / "line.png")
    found = detect(photos, tmp_path / "seen.json", DetectOptions())
    assert found.skipped["line.png"] == f"{photos / 'line.png'}: 60x1 pixels: too narrow"
    assert found.pictures == 2


def test_a_name_that_no_detection_file_can_have(tmp_path: Path, photos: Path, sham: Sham) -> None:
    """It is skipped; where there is no other, that is an error."""
    (photos / "b.png").rename(photos / "b\\c.png")
    found = detect(photos, tmp_path / "seen.json", DetectOptions())
    assert "does not stay in its folder" in found.skipped["b\\c.png"]
    assert found.pictures == 1
    for path in photos.rglob("*.*"):
        if "\\" not in path.name:
            path.unlink()
    with pytest.raises(InputError, match="does not stay in its folder"):
        detect(photos, tmp_path / "none.json", DetectOptions())


def test_a_file_for_build(tmp_path: Path, photos: Path, sham: Sham) -> None:
    out = tmp_path / "seen.json"
    found = detect(photos, out, DetectOptions())
    assert (found.pictures, found.boxes, found.absences) == (2, 1, 6)
    assert list(found.skipped) == ["cut.jpg"]
    assert sham.sizes == [(100, 60), (40, 60)]
    reader = readers.detect_format(out)[0]
    data = readers.read(reader, out, images=photos)
    assert data.pseudo["detector"] == "ssd"
    first, second = data.images
    assert [(i.category, i.box.x2) for i in first.objects] == [("dog", 50)]
    assert first.absent_of(data.categories) == ["car", "truck"]
    assert first.not_exhaustive == ("cat",)
    assert second.absent_of(data.categories) == ["cat", "dog", "car", "truck"]
    raw = json.loads(out.read_text())["annotations"]
    assert [item["score"] for item in raw] == [0.8]
    manifest = build_from_files(out, photos, tmp_path / "data", BuildOptions(reader=reader))
    assert manifest.counts["locpred"] == 1
    asked = {"b.png": {"car", "truck"}, "more/a.PNG": {"cat", "dog", "car", "truck"}}
    for row in read_dataset(tmp_path / "data"):
        for item in row.instructions:
            if item.objective == "negpred":  # of nothing but what is surely absent
                words = set(re.findall(r"\w+", item.question))
                assert words & set(Sham.categories) <= asked[row.image]
                assert words & asked[row.image]
    assert manifest.counts["negpred"] == 2  # no more than what is there, of 6
    assert manifest.pseudo["by"] == "pseudo detect"


def test_some_categories_under_other_names(tmp_path: Path, photos: Path, sham: Sham) -> None:
    out = tmp_path / "seen.json"
    names = {"car": "vehicle", "truck": "vehicle", "dog": "pet"}
    detect(photos, out, DetectOptions(names=names))
    data = readers.read("lvis", out, images=photos)
    assert data.categories == ("pet", "vehicle")
    detect(photos, out, DetectOptions(categories=("dog",)))
    assert readers.read("lvis", out, images=photos).categories == ("dog",)


def test_what_is_not_chosen_has_no_part_in_a_name(tmp_path: Path, photos: Path, sham: Sham) -> None:
    names = {"dog": "pet", "cat": "pet"}
    found = detect(photos, tmp_path / "seen.json", DetectOptions(names=names, categories=("cat",)))
    assert (found.boxes, found.absences) == (0, 1)  # no dog; in one picture perhaps a cat


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (DetectOptions(categories=("unicorn",)), "does not know 'unicorn'; it knows cat, dog"),
        (DetectOptions(names={"horse": "x"}), "does not know 'horse'"),
        (DetectOptions(names={"cat": "pet"}, categories=("dog",)), "names none of --classes"),
        (DetectOptions(threshold=float("nan")), "threshold ≤ 1"),
        (DetectOptions(overlap=float("nan")), "an IoU above 0"),
        (DetectOptions(threshold=0.1, absent_below=0.2), "absent-below ≤ threshold"),
        (DetectOptions(threshold=1.5), "threshold ≤ 1"),
        (DetectOptions(overlap=0.0), "--overlap 0.0"),
    ],
)
def test_settings_that_cannot_be(
    tmp_path: Path, photos: Path, sham: Sham, settings: DetectOptions, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        detect(photos, tmp_path / "seen.json", settings)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos"]  # nothing half-written


def test_no_pictures(tmp_path: Path, sham: Sham) -> None:
    with pytest.raises(InputError, match="no such folder"):
        detect(tmp_path / "none", tmp_path / "seen.json", DetectOptions())
    with pytest.raises(InputError, match="no pictures in it"):
        detect(tmp_path, tmp_path / "seen.json", DetectOptions())
    (tmp_path / "cut.jpg").write_bytes(b"")
    with pytest.raises(InputError, match="nothing that can be read"):
        detect(tmp_path, tmp_path / "seen.json", DetectOptions())
