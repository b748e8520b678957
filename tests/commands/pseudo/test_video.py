"""`locvlm pseudo video` by hand."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from locvlm import cli
from locvlm.pseudo import detect as detecting
from locvlm.pseudo.detectors import DetectorOutput

pytest.importorskip("av")

from tests.clip_files import write_clip, write_gif
from tests.evaluation.tasks import official


class Sham:
    """Sees a dog in the same place of every picture."""

    categories = ("cat", "dog")

    def detect(self, pictures: list) -> list[DetectorOutput]:
        found = DetectorOutput(np.array([[0.0, 0, 9, 9]]), np.array([0.8]), np.array([1]))
        return [found] * len(pictures)


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(detecting, "_load_detector", lambda *_: Sham())
    folder = tmp_path / "clips"
    folder.mkdir()
    write_clip(folder / "a.mp4")
    whole = write_gif(folder / "b.gif")
    whole.write_bytes(whole.read_bytes()[:-500])
    (folder / "c.webm").write_bytes(b"")
    return folder


def run(clips: Path, out: Path, *more: str) -> int:
    return cli.main(["pseudo", "video", "--clips", str(clips), "--out", str(out), *more])


def test_what_came_of_it(clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "seen.json"
    assert run(clips, out) == 0
    said, problems = capsys.readouterr()
    assert said.splitlines() == [
        "2 clips; static boxes: 2, absences: 2, skipped: 1",
        "without a box, what moves: 0",
        "without a box, what is more than once in a frame: 0",
        str(out),
    ]
    skipped, cut, then = problems.splitlines()[-3:]
    assert skipped.startswith(f"skipped: {clips / 'c.webm'}: not a readable clip")
    assert cut == f"damaged, or its end is missing: {clips / 'b.gif'}"
    given = ["--annotations", str(out), "--images", str(clips), "--out", "data/seen"]
    assert shlex.split(then) == ["next:", "locvlm", "build", *given]


def test_clips_as_people_have_them(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every ending that is read, none at all, odd pixels, odd names, what is no clip."""
    for path in clips.iterdir():
        path.unlink()
    for name, container in (
        *(("a.ts", "ts"), ("b.mts", "mts"), ("c.m2ts", "m2ts")),
        *(("d.vob", "mpg"), ("e.qt", "mov"), ("f.3g2", "mp4")),
    ):
        written = write_clip(clips / f"written.{container}", "mpeg2video", count=20)
        written.rename(clips / name)
    write_clip(clips / "g.mp4", count=5).rename(clips / "g")
    write_clip(clips / "h.mp4", count=5, options={"x264-params": "sar=2/1"})
    moving = [Image.new("RGB", (64, 48), colour) for colour in ("red", "blue")]
    moving[0].save(clips / "i.webp", save_all=True, append_images=moving[1:], duration=100)
    Image.new("RGB", (64, 48)).save(clips / "j.webp")
    (clips / "k.txt").write_text("notes")
    write_clip(clips / "l.mp4", count=5).rename(clips / "new\nline.mp4")
    out = tmp_path / "seen.json"
    assert run(clips, out) == 0
    said, problems = capsys.readouterr()
    assert said.startswith("9 clips; "), problems
    assert "skipped: 1" in said
    odd = json.loads(out.read_bytes())
    assert [image["file_name"][0] for image in odd["images"]] == [*"abcdefghi"]
    [skipped, wide, other, _] = problems.splitlines()[-4:]
    assert skipped.startswith(f"skipped: {clips}: the file name 'new\\nline.mp4' has a line break")
    assert wide.startswith(f"{clips / 'h.mp4'}: its pixels are not square: a player shows it 2 ")
    assert other == "passed over, no ending of a clip: 2 files, such as j.webp"


def test_as_json(clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "seen.json"
    assert run(clips, out, "--json", "--frames", "3", "--limit", "1") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["out"], found["pictures"], found["boxes"], found["cut"]) == (str(out), 1, 1, [])


def test_objects_for_hal_act(
    clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, objects = tmp_path / "seen.json", tmp_path / "objects.jsonl"
    assert run(clips, out, "--objects", str(objects)) == 0
    assert capsys.readouterr().out.splitlines()[3:] == [
        "present: 2, absent: 2, in neither list: 0; clips with two of each, "
        "which hal-act asks about: 0",
        str(objects),
        str(out),
    ]
    rows = [json.loads(line) for line in objects.read_text().splitlines()]
    assert rows == [
        {"video": name, "present": ["dog"], "absent": ["cat"]} for name in ("a.mp4", "b.gif")
    ]
    assert run(clips, out, "--objects", str(objects)) == 0  # replaced


def test_hal_act_reads_the_objects(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects, asked = tmp_path / "objects.jsonl", tmp_path / "asked.jsonl"
    monkeypatch.setattr(Sham, "categories", ("cat", "dog", "bus", "cup"))
    both = DetectorOutput(np.array([[0.0, 0, 9, 9]] * 3), np.full(3, 0.8), np.array([1, 1, 2]))
    monkeypatch.setattr(Sham, "detect", lambda _, pictures: [both] * len(pictures))
    assert run(clips, tmp_path / "seen.json", "--objects", str(objects)) == 0
    arguments = ["--annotations", str(objects), "--videos", str(clips), "--out", str(asked)]
    assert cli.main(["questions", "hal-act", *arguments]) == 0
    assert len(asked.read_text().splitlines()) == 8
    told = official.load("hal-act", clips, annotations=objects)
    assert {(item.image, item.expected, item.meta["category"]) for item in told} == {
        (clip, *each)
        for clip in ("a.mp4", "b.gif")
        for each in (("yes", "dog"), ("yes", "bus"), ("no", "cat"), ("no", "cup"))
    }


def test_objects_of_a_stopped_run(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The objects are asked for when it goes on, and nothing is looked at again."""
    out, objects = tmp_path / "seen.json", tmp_path / "objects.jsonl"

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("locvlm.pseudo.video.write_detections", stop)
        run(clips, out)
    monkeypatch.setattr(Sham, "detect", lambda *_: pytest.fail("was looked at"))
    assert run(clips, out, "--objects", str(objects)) == 0
    assert len(objects.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("seen.json", "is another file of this run"),
        ("clips", "is a folder"),
        ("clips/a.mp4", "exists and is not objects"),
    ],
)
def test_objects_where_they_cannot_be(
    clips: Path, tmp_path: Path, name: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(clips, tmp_path / "seen.json", "--objects", str(tmp_path / name)) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--limit", "0"], "--limit must be at least 1 clip, not 0"),
        (["--frames", "0"], "--frames must be at least 1, not 0"),
        (["--size", "0"], "--size must be at least 1, not 0"),
        (["--model", "tiny", "--size", "224"], "--model tiny has a size of its own"),
        (["--model", "no-such-model"], "no-such-model"),
        (["--threshold", "0.05"], "absent-below ≤ threshold"),
    ],
)
def test_wrong_options(
    clips: Path,
    tmp_path: Path,
    more: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(clips, tmp_path / "seen.json", *more) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert message in line
    assert [path.name for path in tmp_path.iterdir()] == ["clips"]


def test_a_wrong_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "clisp", tmp_path / "seen.json") == 2
    assert capsys.readouterr().err.endswith("clisp: no such folder of clips; check the path\n")
    assert not [*tmp_path.iterdir()]
