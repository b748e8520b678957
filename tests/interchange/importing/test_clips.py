"""Questions about clips, in the forms that others write."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from locvlm import cli, coordinates
from locvlm.errors import InputError
from locvlm.instructions import faces
from locvlm.instructions.dataset import Manifest, images_folder, read_dataset
from locvlm.interchange.export.run import export
from locvlm.interchange.importing import run
from locvlm.interchange.importing.run import import_file
from locvlm.media.clips import open_clip

pytest.importorskip("av")

from tests.clip_files import write_clip, write_gif

IVB = coordinates.get("ivb")


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    write_clip(folder / "v_a.mp4", count=5, turned=90)
    write_clip(folder / "v_b.mkv", count=5)
    write_gif(folder / "c.gif", [40] * 4)
    Image.new("RGB", (50, 20)).save(folder / "d.png")
    return folder


def read(tmp_path: Path, rows: list[dict], source: str, **options: bool) -> Manifest:
    file = tmp_path / "in.json"
    file.write_text(json.dumps(rows))
    return import_file(file, source, IVB, tmp_path / "clips", tmp_path / "out", **options)


def qa(clip: str, question: str, answer: str = "yes") -> dict:
    return {"q": question, "a": answer, "video_id": clip}


def turns(clip: str, question: str) -> dict:
    said = [{"from": "human", "value": question}, {"from": "gpt", "value": "yes"}]
    return {"id": clip, "video": clip, "conversations": said}


def test_video_instruct(tmp_path: Path, clips: Path) -> None:
    """Files end as they like; what is asked about a clip comes together."""
    rows = [qa("v_a", "1?"), qa("v_b", "2?"), qa("v_none", "3?"), qa("v_a", "4?", "at (1,2,3)")]
    rows.append(qa("v_b", "5?", ""))
    manifest = read(tmp_path, rows, "video-chatgpt")
    a, b = read_dataset(tmp_path / "out")
    assert (a.image, a.width, a.height) == ("v_a.mp4", 48, 64)  # as displayed
    assert [item.question for item in a.instructions] == ["1?", "4?"]
    assert a.instructions[0].answer == "yes"
    assert (b.image, b.width, b.height) == ("v_b.mkv", 64, 48)
    assert manifest.reader == "video-chatgpt"
    assert manifest.counts == {"mixed": 3}
    assert manifest.drops["questions whose answer is empty"] == 1
    assert manifest.drops["records whose clip's file is missing"] == 1
    assert "v_none" in manifest.examples["records whose clip's file is missing"]


def test_its_own_training_file(tmp_path: Path, clips: Path) -> None:
    """LLaVA's form, with the name of the features in the place of the clip's."""
    rows = [turns("v_a.pkl", "1?\n<video>"), turns("v_b.pkl", "<video>\n2?")]
    for source in ("llava", "video-chatgpt"):
        read(tmp_path, rows, source)
        a, b = read_dataset(tmp_path / "out")
        assert (a.image, b.image) == ("v_a.mp4", "v_b.mkv")
        assert [a.instructions[0].question, b.instructions[0].question] == ["1?", "2?"]


@pytest.mark.parametrize(
    ("source", "row"),
    [
        ("swift", {"messages": [{"role": "user", "content": "<video>1?"}], "videos": ["c.gif"]}),
        (
            "trl",
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "video", "video": "c.gif"},
                            {"type": "text", "text": "1?"},
                        ],
                    }
                ]
            },
        ),
        ("qwen", {"conversations": [{"from": "human", "value": "<video>\n1?"}], "video": "c.gif"}),
    ],
)
def test_other_trainers(tmp_path: Path, clips: Path, source: str, row: dict) -> None:
    said = row.get("messages") or row["conversations"]
    word = ("role", "content") if "messages" in row else ("from", "value")
    said.append(dict(zip(word, ("assistant", "yes"), strict=True)))
    read(tmp_path, [row], source)
    [found] = read_dataset(tmp_path / "out")
    assert (found.image, found.width, found.height) == ("c.gif", 64, 48)
    assert (found.instructions[0].question, found.instructions[0].answer) == ("1?", "yes")


def test_images_and_clips_in_one_file(tmp_path: Path, clips: Path) -> None:
    image = turns("", "what is <video>?") | {"image": "d.png"}
    del image["video"]
    several = turns("v_a.mp4", "1?") | {"image": "d.png"}
    outside = turns("../v_a.mp4", "1?")
    manifest = read(tmp_path, [image, turns("v_b", "2?"), several, outside], "llava")
    first, second = read_dataset(tmp_path / "out")
    assert (first.image, first.instructions[0].question) == ("d.png", "what is <video>?")
    assert second.image == "v_b.mkv"
    assert manifest.drops["records with several pictures"] == 1
    assert manifest.drops["records whose picture is not in the folder of the pictures"] == 1


def test_a_bad_clip_is_left_out(tmp_path: Path, clips: Path) -> None:
    (clips / "v_b.mkv").write_bytes(b"no clip")
    manifest = read(tmp_path, [qa("v_a", "1?"), qa("v_b", "2?")], "video-chatgpt")
    assert list(manifest.unusable_images) == ["v_b.mkv"]
    assert "not a readable clip" in manifest.unusable_images["v_b.mkv"]


@pytest.mark.parametrize(
    "row", [{"q": "1?", "video_id": "v_a"}, {"q": 1, "a": "", "video_id": "a"}]
)
def test_other_rows(tmp_path: Path, clips: Path, row: dict) -> None:
    with pytest.raises(InputError, match=r"in.json.*: not a row of video-chatgpt; it needs q, a"):
        read(tmp_path, [row], "video-chatgpt")


def test_faces_are_blurred(
    tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from locvlm.geometry import Box

    monkeypatch.setattr(faces, "check_opencv", lambda: None)
    monkeypatch.setattr(run, "check_opencv", lambda: None)
    monkeypatch.setattr(faces, "find_faces", lambda image: [Box(0, 0, *image.size)])
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 30, 3), np.uint8)).save(
        clips / "half.png"
    )
    half = clips / "half.png"
    half.write_bytes(half.read_bytes()[:1500])
    rows = [turns("v_a", "1?"), turns("", "2?") | {"image": "d.png", "video": None}]
    rows.append(turns("", "3?") | {"image": "half.png", "video": None})
    (tmp_path / "in.json").write_text(json.dumps(rows))
    arguments = ["--from", "llava", "--format", "ivb", "--images", str(clips), "--blur-faces"]
    command = ["import", str(tmp_path / "in.json"), *arguments, "--out", str(tmp_path / "out")]
    assert cli.main(command) == 0
    said = capsys.readouterr().out
    assert "faces blurred: 1, in 1 pictures" in said
    assert "faces blurred in 1 clips, counted in each frame: 5" in said
    assert "records whose picture cannot be used: 1" in said
    folder = images_folder(tmp_path / "out")
    assert folder == tmp_path / "out/images"
    assert open_clip(folder / "v_a.mp4").size == (48, 64)
    assert (folder / "v_a.mp4").read_bytes() != (clips / "v_a.mp4").read_bytes()
    monkeypatch.setattr(faces, "find_faces", lambda _: pytest.fail("was looked at"))
    assert cli.main(command) == 0  # goes on with what is left: nothing


@pytest.mark.parametrize("target", ["llava", "qwen", "swift"])
def test_exported_and_imported(target: str, tmp_path: Path, clips: Path) -> None:
    """Clips go out under their own key, and come back as they were."""
    rows = [turns("v_a", "1?"), turns("v_b", "2?"), turns("v_a", "4?")]
    rows.append(turns("", "3?") | {"image": "d.png", "video": None})
    read(tmp_path, rows, "llava")
    before = read_dataset(tmp_path / "out")
    report = export(tmp_path / "out", target, tmp_path / "out.jsonl")
    assert (report.images, report.drops) == (3, {})
    first, *_, last = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert "<video>" in json.dumps(first) and "<image>" in json.dumps(last)
    assert {"video", "videos"} & first.keys() and not {"image", "images"} & first.keys()
    if target == "swift":  # absolute names
        return
    import_file(tmp_path / "out.jsonl", target, IVB, clips, tmp_path / "back")
    after = read_dataset(tmp_path / "back")
    assert [(item.image, item.width, item.instructions) for item in after] == [
        (item.image, item.width, item.instructions) for item in before
    ]


def test_trl_holds_no_clips(tmp_path: Path, clips: Path) -> None:
    rows = [turns("v_a", "1?"), turns("", "3?") | {"image": "d.png", "video": None}]
    read(tmp_path, rows, "llava")
    report = export(tmp_path / "out", "trl", tmp_path / "out.jsonl")
    assert report.drops == {"clips, which trl data do not hold": 1}
    assert list(report.unusable) == ["v_a.mp4"]
