"""What `locate`, `describe` and `ask` share: pictures and clips, drawings."""

import json
from pathlib import Path

import pytest
from PIL import Image

from locvlm import cli
from locvlm.inference.sampling import Sampling
from tests.command_line import Fake, fails_with_one_line


def test_a_missing_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str], fake: Fake) -> None:
    missing = tmp_path / "none.jpg"
    assert str(missing) in fails_with_one_line(capsys, "locate", str(missing), "dog")


def test_a_file_that_is_no_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], fake: Fake
) -> None:
    text = tmp_path / "notes.jpg"
    text.write_text("no picture")
    assert str(text) in fails_with_one_line(capsys, "ask", str(text), "What is it?")


@pytest.mark.parametrize("name", ["drawing.xyz", "no/such/folder/drawing.png"])
def test_a_drawing_that_cannot_be_written(
    name: str, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], fake: Fake
) -> None:
    out = tmp_path / name
    line = fails_with_one_line(capsys, "locate", str(photo), "dog", "--save", str(out))
    assert str(out) in line
    assert not out.exists()


@pytest.mark.parametrize("command", [["locate", "dog"], ["ask", "Where?"], ["describe"]])
def test_save_draws_in_the_size_of_the_picture(
    command: list[str], photo: Path, tmp_path: Path, fake: Fake
) -> None:
    place = ["--box", "10,20,60,70"] if command == ["describe"] else []
    out = tmp_path / "drawing.png"
    assert cli.main([command[0], str(photo), *command[1:], *place, "--save", str(out)]) == 0
    with Image.open(out) as drawing:
        assert drawing.size == (200, 100)
        assert len(drawing.getcolors(100_000)) > 1  # it was one grey


def test_clips_are_drawn_on_every_frame(
    tmp_path: Path, fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    gif, out = tmp_path / "clip.gif", tmp_path / "drawing.png"
    grey = [Image.new("RGB", (200, 100), shade) for shade in ("grey", "silver")]
    grey[0].save(gif, save_all=True, append_images=grey[1:], duration=500)
    fake.frames = 8
    assert cli.main(["locate", str(gif), "dog", "--save", str(out), "--json"]) == 0
    captured = capsys.readouterr()
    assert "Loading tiny-video" in captured.err
    record = json.loads(captured.out)
    assert record["size"] == [200, 100]
    assert record["times"] == [0, 0, 0, 0, 0.5, 0.5, 0.5, 0.5]
    with Image.open(out) as drawing:
        assert drawing.size == (4 * 204 - 4, 2 * 104 - 4)


def test_a_clip_for_a_model_of_pictures(
    tmp_path: Path, fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    gif = tmp_path / "clip.gif"
    Image.new("RGB", (200, 100)).save(gif)
    assert cli.main(["ask", str(gif), "What?", "--model", "tiny"]) == 0  # its first frame
    capsys.readouterr()
    assert cli.main(["ask", str(gif), "What?"]) == 0  # by the model of pictures
    assert "Loading tiny …" in capsys.readouterr().err
    still = gif.rename(tmp_path / "still.mp4")
    assert cli.main(["ask", str(still), "What?", "--model", "tiny"]) == 0
    clip = tmp_path / "clip.mp4"
    colours = [Image.new("RGB", (200, 100), colour) for colour in ("red", "blue")]
    colours[0].save(clip, "GIF", save_all=True, append_images=colours[1:])
    capsys.readouterr()
    line = fails_with_one_line(capsys, "ask", str(clip), "What?", "--model", "tiny")
    assert "the model reads pictures; name one that reads clips, such as tiny-video" in line
    clip.write_text("no clip")
    assert "clip.mp4" in fails_with_one_line(capsys, "ask", str(clip), "What?")


def test_locate_as_json(photo: Path, fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["locate", str(photo), "dog", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "image": str(photo),
        "size": [200, 100],
        "what": "dog",
        "box": [10, 20, 30.13, 40],
        "frame": "pixels of the original picture",
        "answer": "It is there.",
    }
    assert fake.asked == [((200, 100), "dog")]


def test_locate_of_nothing(photo: Path, fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    fake.box = None
    assert cli.main(["locate", str(photo), "dog", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["box"] is None
    assert cli.main(["locate", str(photo), "dog"]) == 0
    assert "not found" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command",
    [["ask", "Where is it?"], ["locate", "dog"], ["describe", "--box", "0,0,9,9"]],
    ids=lambda command: command[0],
)
def test_an_answer_that_is_cut_is_said(
    command: list[str], photo: Path, fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    name, *rest = command
    for cut in (0, 1):
        fake.truncated, fake.decoding = cut, {"max_new_tokens": 64}
        assert cli.main([name, str(photo), *rest]) == 0
        said = "Warning: the answer was cut at the limit of 64 tokens" in capsys.readouterr().err
        assert said == bool(cut)


def test_answers_may_be_drawn(
    photo: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given: list[object] = []
    monkeypatch.setattr(
        "locvlm.inference.predictor.load_predictor",
        lambda name, **options: [given.append(options["sampling"]), fake][1],
    )
    for command in (["locate", str(photo), "dog"], ["ask", str(photo), "?"]):
        assert cli.main([*command, "--temperature", "0.2", "--seed", "7"]) == 0
    assert cli.main(["describe", str(photo), "--point", "1,1", "--temperature", "1"]) == 0
    assert cli.main(["ask", str(photo), "?", "--seed", "7"]) == 0
    assert given == [Sampling(0.2, 7), Sampling(0.2, 7), Sampling(1.0, 0), None]
    capsys.readouterr()
    line = fails_with_one_line(capsys, "ask", str(photo), "?", "--temperature", "-1")
    assert "temperature must be 0 (greedy) or a number from 0.001 up, not -1.0" in line
