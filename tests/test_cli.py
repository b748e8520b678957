"""The command line: forms of the answers, exit codes, one line for bad input."""

import errno
import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from locvlm import annotations, cli, coordinates
from locvlm.errors import InputError
from locvlm.geometry import Box, Frame, Location, Size
from locvlm.inference.predictor import Located
from locvlm.instructions.dataset import read_manifest
from locvlm.media.opening import View, open_media
from locvlm.version import __version__


class Fake:
    """Answers without a model; remembers what it was asked."""

    coordinates = coordinates.get("ivb", bins=100)

    def __init__(self) -> None:
        self.box: Box | None = Box(10, 20, 30.126, 40)
        self.asked: list[object] = []
        self.frames: int | None = None

    def open(self, image: Path) -> View:
        return open_media(image, self.frames)

    def frame(self, size: Size) -> Frame:
        return Frame.resize(size, 224)

    def locate(self, image: View, what: str) -> Located:
        self.asked.append((image.size, what))
        return Located(self.box, "It is there." if self.box else "There is no such object", 0)

    def describe(self, image: View, location: Location) -> str:
        self.asked.append(location)
        return "There is a dog."

    def ask(self, image: View, question: str) -> str:
        self.asked.append(question)
        return "It is located at (10,20,50,100)"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.new("RGB", (200, 100), "grey").save(path)
    return path


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    predictor = Fake()
    monkeypatch.setattr("locvlm.inference.predictor.load_predictor", lambda name: predictor)
    return predictor


def fails_with_one_line(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The line on standard error of a command that must end with code 2."""
    assert cli.main(arguments) == 2
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if not line.startswith("Loading")]
    assert len(lines) == 1
    assert lines[0].startswith("locvlm: error: ")
    assert captured.out == ""
    return lines[0]


# Help and arguments


@pytest.mark.parametrize("command", ["describe", "detect", "video"])
def test_commands_of_a_group_have_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command in cli.GROUPS["pseudo"].COMMANDS
    with pytest.raises(SystemExit) as stop:
        cli.main(["pseudo", command, "--help"])
    assert stop.value.code == 0
    assert f"locvlm pseudo {command}" in capsys.readouterr().out
    assert "describe" in fails_with_one_line(capsys, "pseudo")


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main([command, "--help"])
    assert stop.value.code == 0
    assert f"locvlm {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command", ["locate", "describe", "ask", "build", "export", "import", "convert", "eval"]
)
def test_help_says_the_units(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    assert "pixels" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["locate"],
        ["locate", "a.jpg", "dog", "--nonsense"],
        ["eval", "--seed", "x"],
        ["build", "--annotations", "a", "--images", "b", "--out", "c", "--from", "nonsense"],
    ],
)
def test_wrong_arguments_are_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("locvlm: error: ")
    assert said.err.count("\n") == 1
    assert "--help" in said.err
    assert not set("│─╭╮╰╯") & set(said.err)


def test_the_installed_module_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "locvlm", "describe", "none.jpg", "--box", "30,10,10,40"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "swapped" in done.stderr
    assert "Traceback" not in done.stderr


# Bad input


@pytest.mark.parametrize(
    ("box", "problem"),
    [
        ("30,10,10,40", "swapped"),
        ("10,40,30,10", "swapped"),
        ("1,2,3", "3 numbers"),
        ("1,2,3,4,5", "5 numbers"),
        ("", "not numbers"),
        ("a,b,c,d", "not numbers"),
        ("1,2,3,nan", "finite"),
        ("1,2,3,inf", "finite"),
    ],
)
def test_a_bad_box(
    box: str, problem: str, photo: Path, capsys: pytest.CaptureFixture[str], fake: Fake
) -> None:
    line = fails_with_one_line(capsys, "describe", str(photo), f"--box={box}")
    assert problem in line
    assert "x1,y1,x2,y2" in line
    assert not fake.asked


@pytest.mark.parametrize("places", [[], ["--box", "1,2,3,4", "--point", "1,2"]])
def test_describe_takes_exactly_one_place(
    places: list[str], photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "--point x,y" in fails_with_one_line(capsys, "describe", str(photo), *places)


def test_a_missing_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str], fake: Fake) -> None:
    missing = tmp_path / "none.jpg"
    assert str(missing) in fails_with_one_line(capsys, "locate", str(missing), "dog")


def test_a_file_that_is_no_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], fake: Fake
) -> None:
    text = tmp_path / "notes.jpg"
    text.write_text("no picture")
    assert str(text) in fails_with_one_line(capsys, "ask", str(text), "What is it?")


def test_an_unknown_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = fails_with_one_line(
        capsys, "inspect", str(tmp_path), "--out", str(tmp_path), "--format", "qvb"
    )
    assert "'qvb'" in line
    assert "ivb" in line


def test_an_unknown_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = fails_with_one_line(
        capsys,
        *("eval", "--model", "tiny", "--task", "gqqa", "--annotations", "a.json"),
        *("--images", str(tmp_path), "--out", str(tmp_path / "out")),
    )
    assert "'gqqa'" in line
    assert not (tmp_path / "out").exists()


def voc(folder: Path) -> tuple[str, ...]:
    """One VOC picture in `folder`; the arguments of build for it."""
    box = "<xmin>1</xmin><ymin>1</ymin><xmax>4</xmax><ymax>4</ymax>"
    (folder / "a.xml").write_text(
        "<annotation><filename>a.jpg</filename><size><width>9</width><height>9</height></size>"
        f"<object><name>dog</name><bndbox>{box}</bndbox></object></annotation>"
    )
    (folder / "a.jpg").touch()
    out = str(folder / "out")
    return "build", "--annotations", str(folder), "--images", str(folder), "--out", out


def test_build_says_what_it_took_the_annotations_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(voc(tmp_path)) == 0
    said = capsys.readouterr()
    assert "read as --from voc: a folder with XML files" in said.err
    assert said.out.startswith("1 pictures")


def test_build_takes_every_reader_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*voc(tmp_path), "--from", "voc"]) == 0
    assert "read as" not in capsys.readouterr().err
    for name in annotations.names():
        if name != "voc":
            line = fails_with_one_line(capsys, *voc(tmp_path), "--from", name)
            assert str(tmp_path) in line


def test_build_says_which_split_it_read(
    tmp_path: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for split in ("train", "val"):
        (tmp_path / "set" / split).mkdir(parents=True)
        (tmp_path / "set" / split / "a.png").write_bytes(photo.read_bytes())
        (tmp_path / "set" / split / "a.txt").write_text("0 .5 .5 .5 .5")
    (tmp_path / "set" / "data.yaml").write_text("train: train\nval: val\nnames: [dog]")
    paths = [str(tmp_path / name) for name in ("set", "set", "out")]
    command = ["build", "--annotations", paths[0], "--images", paths[1], "--out", paths[2]]
    for split in ("train", "all"):
        assert cli.main([*command, *(["--split", split] if split == "all" else [])]) == 0
        said = capsys.readouterr()
        assert f"read --split {split}; there are: train, val" in said.err
        assert read_manifest(tmp_path / "out").options == {"split": split}
    assert said.out.startswith("2 pictures")
    assert cli.main([*command, "--split", "test"]) == 2
    assert "has no split 'test'" in capsys.readouterr().err


def test_captions_for_a_form_that_has_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--captions", str(tmp_path / "c.json"), "--objectives", "caption")
    line = fails_with_one_line(capsys, *voc(tmp_path), *more)
    assert "in the form voc have no captions" in line


def test_annotations_cut_in_half(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "half.json"
    broken.write_text('{"images": [{"id": 1, "file_na')
    line = fails_with_one_line(
        capsys,
        *("build", "--annotations", str(broken), "--images", str(tmp_path)),
        *("--out", str(tmp_path / "out")),
    )
    assert str(broken) in line
    assert not (tmp_path / "out").exists()


def test_a_missing_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "none.yaml"
    assert str(recipe) in fails_with_one_line(capsys, "train", str(recipe))


@pytest.mark.parametrize("name", ["drawing.xyz", "no/such/folder/drawing.png"])
def test_a_drawing_that_cannot_be_written(
    name: str, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], fake: Fake
) -> None:
    out = tmp_path / name
    line = fails_with_one_line(capsys, "locate", str(photo), "dog", "--save", str(out))
    assert str(out) in line
    assert not out.exists()


# What a command raises


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (InputError("bad\n  thing"), 2, "locvlm: error: bad thing"),
        (PermissionError(13, "Permission denied", "out"), 2, "Permission denied: 'out'"),
        (ModuleNotFoundError("no torch", name="torch.nn"), 2, "pip install 'locvlm[model]'"),
        (ModuleNotFoundError("no pyplot", name="matplotlib"), 2, "pip install 'locvlm[model]'"),
        (KeyboardInterrupt(), 130, "locvlm: stopped"),
    ],
)
def test_exit_codes(
    error: BaseException,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def command() -> None:
        raise error

    monkeypatch.setattr(cli, "COMMANDS", {"demo": command, "other": command})
    assert cli.main(["demo"]) == code
    assert said in capsys.readouterr().err


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def command() -> None:
        raise ModuleNotFoundError("no colours", name="colours")

    monkeypatch.setattr(cli, "COMMANDS", {"demo": command, "other": command})
    with pytest.raises(ModuleNotFoundError):
        cli.main(["demo"])


# Answers


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


def test_a_located_box_can_be_given_back(
    photo: Path, fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["locate", str(photo), "dog"])
    box = capsys.readouterr().out.split()[1]
    assert cli.main(["describe", str(photo), "--box", box]) == 0
    assert fake.asked[-1] == Box(10, 20, 30.13, 40)
    assert capsys.readouterr().out == "There is a dog.\n"


@pytest.mark.parametrize(
    ("flag", "text", "numbers"),
    [("box", "1,2,3.5,4", [1, 2, 3.5, 4]), ("point", "-0.5,2", [-0.5, 2])],
)
def test_describe_as_json(
    flag: str,
    text: str,
    numbers: list[float],
    photo: Path,
    fake: Fake,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["describe", str(photo), f"--{flag}={text}", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record[flag] == numbers
    assert record["answer"] == "There is a dog."


def test_ask_says_locations_in_original_pixels(
    photo: Path, fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["ask", str(photo), "Where is the dog?", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["locations"] == [[20, 20, 100, 100]]
    cli.main(["ask", str(photo), "Where is the dog?"])
    assert "20,20,100,100 (pixels of the original picture)" in capsys.readouterr().out


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
    clip = gif.rename(tmp_path / "clip.mp4")
    line = fails_with_one_line(capsys, "ask", str(clip), "What?", "--model", "tiny")
    assert "the model reads pictures; name one that reads clips, such as tiny-video" in line
    clip.write_text("no clip")
    assert "clip.mp4" in fails_with_one_line(capsys, "ask", str(clip), "What?")


def test_train_takes_settings_in_both_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    from locvlm.training import train

    calls = []
    monkeypatch.setattr(train, "train", lambda recipe, settings: calls.append((recipe, settings)))
    cli.main(["train", "tiny.yaml"])
    cli.main(["train", "tiny.yaml", "--set", "a.b=1", "c=2", "--set", "d=[3, 4]"])
    assert calls == [(Path("tiny.yaml"), []), (Path("tiny.yaml"), ["a.b=1", "c=2", "d=[3, 4]"])]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"locvlm {__version__}\n"


def test_a_full_disk_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def full(**arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cli, "_parse", lambda arguments: functools.partial(full))
    assert cli.main(["demo"]) == 2
    assert "cannot write: No space left on device; make room" in capsys.readouterr().err
