"""Clips become annotations: what holds still, what moves, what is absent, what is neither."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from locvlm import annotations as readers
from locvlm.annotations.base import AnnotatedImage
from locvlm.errors import InputError
from locvlm.geometry import Box, Frame
from locvlm.instructions.build_files import BuildOptions, build_from_files
from locvlm.instructions.dataset import images_folder
from locvlm.media.clips import open_clip
from locvlm.media.every_frame import EveryFrame
from locvlm.pseudo import detect as detecting
from locvlm.pseudo.detect import DetectOptions
from locvlm.pseudo.detection_file import DetectionRow
from locvlm.pseudo.detectors import DetectorOutput
from locvlm.pseudo.video import ClipDetectionRow, VideoOptions, annotate_clips, combine_frames

pytest.importorskip("av")

from tests.clip_files import write_clip

CATEGORIES = ("red", "green", "blue", "gray")
SIZE = (128, 64)
SEEN_AS = Frame.identity((224, 224))


def frame(
    *boxes: tuple[int, float, int], absent: Sequence[int] = (), unsure: Sequence[int] = ()
) -> DetectionRow:
    """A frame with boxes of (label, score, left side), 20 pixels wide."""
    return DetectionRow(
        100,
        50,
        [(x, 0, x + 20, 10) for _, _, x in boxes],
        [score for _, score, _ in boxes],
        [label for label, _, _ in boxes],
        list(absent),
        list(unsure),
    )


def joined(*rows: DetectionRow) -> ClipDetectionRow:
    return combine_frames(rows, DetectOptions(), SEEN_AS)


def test_nothing_in_any_frame() -> None:
    row = joined(frame(absent=[0, 1]), frame(absent=[0, 1]))
    assert (row.boxes, row.absent, row.unsure) == ([], [0, 1], [])
    assert (row.width, row.height) == (100, 50)


def test_absent_in_all_frames() -> None:
    row = joined(frame(absent=[0, 1, 2]), frame((1, 0.3, 0), absent=[0], unsure=[2]))
    assert (row.boxes, row.absent, row.unsure) == ([], [0], [1, 2])


def test_still() -> None:
    row = joined(frame((0, 0.9, 40)), frame((0, 0.6, 44)), frame())
    assert row.boxes == [(42, 0, 62, 10)]
    assert (row.labels, row.scores, row.unsure) == ([0], [0.9], [])


def test_moving() -> None:
    row = joined(frame((0, 0.9, 40)), frame((0, 0.9, 51)))
    assert (row.boxes, row.absent, row.unsure) == ([], [], [0])
    assert (row.moving, row.several) == (1, 0)


def test_several() -> None:
    row = joined(frame((0, 0.9, 40), (0, 0.9, 70)), frame((0, 0.9, 40)))
    assert (row.boxes, row.absent, row.unsure) == ([], [], [0])
    assert (row.moving, row.several) == (0, 1)


def test_less_sure_of_the_same() -> None:
    row = joined(frame((0, 0.9, 40)), frame((0, 0.3, 44)))
    assert row.boxes == [(40, 0, 60, 10)]
    assert row.unsure == []


def test_less_sure_of_another() -> None:
    row = joined(frame((0, 0.9, 40)), frame((0, 0.9, 42)), frame((0, 0.3, 70)))
    assert row.boxes == [(41, 0, 61, 10)]
    assert (row.unsure, row.moving) == ([0], 0)


def test_sure_once_and_less_sure_elsewhere() -> None:
    row = joined(frame((0, 0.9, 40)), frame((0, 0.3, 70)))
    assert (row.boxes, row.absent, row.unsure, row.moving) == ([], [], [0], 1)


def test_what_a_frame_is_unsure_of() -> None:
    row = joined(frame((0, 0.9, 40), unsure=[0]), frame(unsure=[1]))
    assert row.labels == [0]
    assert row.unsure == [0, 1]


def test_present_whatever_its_place() -> None:
    """Still, moving, twice in a frame, seen without a box; not what is less sure."""
    stuff = DetectionRow(100, 50, unsure=[4], boxless=[4])
    row = joined(
        frame((0, 0.9, 40), (1, 0.9, 0), (2, 0.9, 0), (2, 0.9, 50), absent=[5]),
        frame((0, 0.9, 40), (1, 0.9, 70), (3, 0.3, 0), absent=[5, 6], unsure=[7]),
        msgspec.structs.replace(stuff, absent=[5]),
    )
    assert row.present == (0, 1, 2, 4)
    assert row.absent == [5]
    assert row.labels == [0]


class Sham:
    """Sees squares by their color; grayer ones less surely."""

    categories = CATEGORIES

    def __init__(self) -> None:
        self.pictures = 0

    def detect(self, pictures: Sequence[Image.Image]) -> list[DetectorOutput]:
        self.pictures += len(pictures)
        return [self._seen(np.asarray(picture).astype(int)) for picture in pictures]

    def _seen(self, pixels: np.ndarray) -> DetectorOutput:
        boxes = []
        for channel in range(3):
            ys, xs = np.nonzero(pixels[..., channel] - pixels.min(2) > 128)
            if len(xs):
                boxes.append((channel, xs.min(), ys.min(), xs.max() + 1, ys.max() + 1))
        found = np.array(boxes, np.float64).reshape(-1, 5)
        return DetectorOutput(found[:, 1:], np.full(len(found), 0.75), found[:, 0].astype(np.int64))


@pytest.fixture
def sham(monkeypatch: pytest.MonkeyPatch) -> Sham:
    made = Sham()
    monkeypatch.setattr(detecting, "_load_detector", lambda *_: made)
    return made


def squares(red: Callable[[int], int], blue: Callable[[int], int]) -> Callable[[int], Image.Image]:
    """By the number of the frame, where a square's left side is."""

    def picture(number: int) -> Image.Image:
        made = Image.new("RGB", SIZE, "gray")
        made.paste("red", (red(number), 10, red(number) + 20, 30))
        made.paste("blue", (blue(number), 40, blue(number) + 20, 60))
        return made

    return picture


def lossless(path: Path, picture: Callable[[int], Image.Image], count: int = 50) -> Path:
    return write_clip(path, "ffv1", picture=picture, pixels="bgr0", count=count)


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    (folder / "more").mkdir(parents=True)
    lossless(folder / "pan.mkv", squares(lambda number: 30, lambda number: 2 * number))
    lossless(folder / "more/still.MKV", squares(lambda number: 5, lambda number: 60 + number % 2))
    (folder / "more/text.mp4").write_text("no clip")
    (folder / "notes.txt").write_text("no clip")
    whole = lossless(folder / "z.mkv", squares(lambda number: 30, lambda number: 30))
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    return folder


def read(out: Path, clips: Path) -> dict[str, AnnotatedImage]:
    reader = readers.detect_format(out)[0]
    data = readers.read(reader, out, images=clips)
    assert data.categories == CATEGORIES
    return {image.file_name: image for image in data.images}


def test_a_file_for_build(tmp_path: Path, clips: Path, sham: Sham) -> None:
    out = tmp_path / "seen.json"
    found = annotate_clips(clips, out, DetectOptions(), VideoOptions())
    assert (found.pictures, found.boxes, found.absences) == (3, 5, 6)
    assert (found.moving, found.several) == (1, 0)
    assert list(found.skipped) == ["more/text.mp4"]
    assert found.cut == ["z.mkv"]
    assert sham.pictures == 24
    seen = read(out, clips)
    assert list(seen) == ["more/still.MKV", "pan.mkv", "z.mkv"]
    assert {(image.width, image.height) for image in seen.values()} == {SIZE}
    pan = seen["pan.mkv"]
    assert [(i.category, i.box.x1, i.box.y1, i.box.x2) for i in pan.objects] == [
        ("red", 30, 10, 50)
    ]
    assert pan.absent_of(CATEGORIES) == ["green", "gray"]
    assert pan.not_exhaustive == ("blue",)
    still = seen["more/still.MKV"]
    assert [(i.category, i.box.x1) for i in still.objects] == [("red", 5), ("blue", 60.5)]
    assert not (tmp_path / "seen.json.parts").exists()


def test_how_it_was_made(tmp_path: Path, clips: Path, sham: Sham) -> None:
    out = tmp_path / "seen.json"
    annotate_clips(clips, out, DetectOptions(), VideoOptions(frames=4))
    raw = json.loads(out.read_text())
    assert [item["score"] for item in raw["annotations"]] == [0.75] * 5
    pseudo = raw["info"]["pseudo"]
    assert pseudo["by"] == "pseudo video"
    assert (pseudo["detector"], pseudo["frames"], pseudo["static_within"]) == ("ssd", 4, 5)
    assert pseudo["size"] == 224
    assert "model" not in pseudo
    assert (pseudo["cut"], list(pseudo["skipped"])) == (["z.mkv"], ["more/text.mp4"])


def test_what_the_default_detector_lacks(tmp_path: Path, clips: Path, sham: Sham) -> None:
    out = tmp_path / "seen.json"
    found = annotate_clips(clips, out, DetectOptions(), VideoOptions())
    assert "no stuff" in found.lacks and "panoptic" in found.lacks
    assert json.loads(out.read_text())["info"]["pseudo"]["lacks"] == found.lacks
    assert annotate_clips(clips, out, DetectOptions("some/other"), VideoOptions()).lacks == ""
    assert "lacks" not in json.loads(out.read_text())["info"]["pseudo"]


def test_build(tmp_path: Path, clips: Path, sham: Sham) -> None:
    out = tmp_path / "seen.json"
    annotate_clips(clips, out, DetectOptions(), VideoOptions())
    reader = readers.detect_format(out)[0]
    manifest = build_from_files(out, clips, tmp_path / "data", BuildOptions(reader=reader))
    assert manifest.counts["locpred"] == 5
    assert manifest.counts["negpred"]
    assert manifest.pseudo["by"] == "pseudo video"
    assert manifest.drops == {}


def test_build_with_faces_blurred(
    tmp_path: Path, clips: Path, sham: Sham, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A face in the upper left of all frames of two clips; what is asked stays the same."""
    monkeypatch.setattr("locvlm.instructions.build_files.check_opencv", lambda: None)
    monkeypatch.setattr("locvlm.instructions.faces.check_opencv", lambda: None)
    face = Box(0, 0, 9, 9)
    monkeypatch.setattr(
        "locvlm.instructions.faces.find_faces",
        lambda image: [face] if np.asarray(image)[20, 40, 0] > 200 else [],  # red is there
    )
    out = tmp_path / "seen.json"
    annotate_clips(clips, out, DetectOptions(), VideoOptions())
    plain = build_from_files(out, clips, tmp_path / "plain", BuildOptions(reader="lvis"))
    options = BuildOptions(reader="lvis", blur_faces=True)
    manifest = build_from_files(out, clips, tmp_path / "data", options)
    assert manifest.counts == plain.counts
    assert (manifest.faces_blurred, manifest.pictures_with_faces) == (0, 0)
    assert manifest.clips_with_faces == 2
    cut = len(list(EveryFrame(clips / "z.mkv")))
    assert manifest.clip_faces_blurred == 50 + cut
    assert "damaged clips, or without their end: 1, such as z.mkv" in manifest.remarks[-1]
    assert images_folder(tmp_path / "data") == tmp_path / "data/images"
    copies = tmp_path / "data/images"
    assert (copies / "more/still.MKV").read_bytes() == (clips / "more/still.MKV").read_bytes()
    assert (copies / "pan.mkv").read_bytes() != (clips / "pan.mkv").read_bytes()
    assert open_clip(copies / "pan.mkv").times == pytest.approx(open_clip(clips / "pan.mkv").times)


def test_pixels_are_those_of_the_model(tmp_path: Path, clips: Path, sham: Sham) -> None:
    """Blue pans by 86 pixels of 128, 43 to both sides: 5.04 pixels of 15, 4.7 of 14."""
    out = tmp_path / "seen.json"
    assert annotate_clips(clips, out, DetectOptions(), VideoOptions(size=15)).moving == 1
    assert annotate_clips(clips, out, DetectOptions(), VideoOptions(size=14)).moving == 0


def test_a_clip_with_fewer_frames(tmp_path: Path, sham: Sham) -> None:
    (tmp_path / "clips").mkdir()
    lossless(tmp_path / "clips/a.mkv", squares(lambda number: 9, lambda number: 9), count=2)
    found = annotate_clips(
        tmp_path / "clips", tmp_path / "seen.json", DetectOptions(), VideoOptions()
    )
    assert found.boxes == 2
    assert sham.pictures == 2


def test_more_frames_than_a_batch(tmp_path: Path, clips: Path, sham: Sham) -> None:
    found = annotate_clips(
        clips, tmp_path / "seen.json", DetectOptions(), VideoOptions(frames=20), limit=1
    )
    assert (found.pictures, found.boxes, sham.pictures) == (1, 2, 20)


@pytest.mark.parametrize(
    ("watching", "message"),
    [(VideoOptions(frames=0), "--frames must be"), (VideoOptions(size=0), "--size must be")],
)
def test_settings_that_cannot_be(
    tmp_path: Path, clips: Path, sham: Sham, watching: VideoOptions, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        annotate_clips(clips, tmp_path / "seen.json", DetectOptions(), watching)
    with pytest.raises(InputError, match="does not know 'unicorn'"):
        annotate_clips(
            clips, tmp_path / "seen.json", DetectOptions(categories=("unicorn",)), VideoOptions()
        )
    assert not (tmp_path / "seen.json.parts").exists()


def test_no_clips(tmp_path: Path, sham: Sham) -> None:
    with pytest.raises(InputError, match="no such folder"):
        annotate_clips(tmp_path / "none", tmp_path / "seen.json", DetectOptions(), VideoOptions())
    with pytest.raises(InputError, match="no clips in it"):
        annotate_clips(tmp_path, tmp_path / "seen.json", DetectOptions(), VideoOptions())
    (tmp_path / "a.mp4").write_bytes(b"")
    with pytest.raises(InputError, match="nothing that can be read"):
        annotate_clips(tmp_path, tmp_path / "seen.json", DetectOptions(), VideoOptions())


def test_other_work(
    tmp_path: Path, clips: Path, sham: Sham, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped run goes on with the same settings alone."""
    out = tmp_path / "seen.json"
    with monkeypatch.context() as patch:
        patch.setattr("locvlm.pseudo.video.write_detections", stopped)
        with pytest.raises(KeyboardInterrupt):
            annotate_clips(clips, out, DetectOptions(), VideoOptions())
    before = sham.pictures
    with pytest.raises(InputError, match="frames 8, not 4"):
        annotate_clips(clips, out, DetectOptions(), VideoOptions(frames=4))
    assert annotate_clips(clips, out, DetectOptions(), VideoOptions()).boxes == 5
    assert sham.pictures == before


def stopped(*_: object) -> None:
    raise KeyboardInterrupt
