"""The line that a person would type next."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pytest import CaptureFixture

from locvlm import cli
from locvlm.commands.next_step import format_command, print_next
from tests.commands.test_compare import run
from tests.commands.test_questions import WITH_ANOTHER as COCO


def test_it_is_for_people_and_not_among_results(capsys: CaptureFixture[str]) -> None:
    print_next(format_command("inspect", Path("data/shop"), "--out", "looks"))

    said = capsys.readouterr()
    assert said.err == "next: locvlm inspect data/shop --out looks\n"
    assert said.out == ""


def test_spaces_are_quoted() -> None:
    assert format_command("train", Path("my recipe.yaml")) == "locvlm train 'my recipe.yaml'"


@given(st.lists(st.text(st.characters(codec="utf-8"))))
def test_a_shell_reads_the_same_words(words: list[str]) -> None:
    assert shlex.split(format_command(*words)) == ["locvlm", *words]


def next_line(capsys: CaptureFixture[str], *command: object) -> list[str]:
    """The words of the line that a command ends with, which are those of a command, too."""
    capsys.readouterr()
    assert cli.main([*map(str, command)]) == 0
    said = capsys.readouterr()
    assert "next:" not in said.out
    line = said.err.splitlines()[-1].removeprefix("next: ")
    assert said.err.count("next: ") == 1
    words = shlex.split(line)
    if words[0] == "locvlm":
        cli._parse(words[1:])
    return words


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a data set, two runs, answers and what was made by heavier work."""
    monkeypatch.chdir(tmp_path)
    Path("my photos").mkdir()
    for name in ("7", "8"):
        Image.new("RGB", (200, 100)).save(f"my photos/{name}.jpg")
    Path("coco.json").write_text(json.dumps(COCO))
    run(Path("a"), "one", [True, False, True])
    run(Path("b"), "two", [True, True, False])
    chat = [{"from": "human", "value": "<image>\nWhere?"}, {"from": "gpt", "value": "Here."}]
    Path("chat.json").write_text(json.dumps([{"id": "1", "image": "7.jpg", "conversations": chat}]))
    made = ["build", "--annotations", "coco.json", "--images", "my photos", "--out", "data/shop"]
    assert cli.main(made) == 0
    return tmp_path


NEXT = {
    "build --annotations coco.json --images 'my photos' --out 'a shop'": (
        "inspect 'a shop' --model tiny --out looks"
    ),
    "import chat.json --from llava --format ivb --images 'my photos' --out 'a chat'": (
        "inspect 'a chat' --model tiny --out looks"
    ),
    "inspect data/shop --out looks": "train RECIPE.yaml --set 'data=[\"{at}/data/shop\"]'",
    "export data/shop --to llava --out chat.jsonl": ("inspect data/shop --model tiny --out looks"),
    "export data/shop --to swift --out 'my chat.jsonl' --format qwen3-vl": (
        "swift sft --model MODEL --dataset 'my chat.jsonl'"
    ),
    "convert chat.json new.json --from ivb --to nfp --images 'my photos'": (
        "inspect new.json --words"
    ),
    "questions hal-coco --annotations coco.json --images 'my photos' --out q.jsonl --seed 3": (
        "score hal-coco --predictions ANSWERS.jsonl --annotations coco.json "
        "--images 'my photos' --seed 3"
    ),
    "compare a b": "prove a b --out proof",
    "prove a b": "prove a b --out proof",
    "prove a b --out proven": "locate PHOTO.jpg WHAT --model two",
}


@pytest.mark.parametrize(("command", "then"), NEXT.items())
def test_commands_end_with_it(
    at: Path, capsys: CaptureFixture[str], command: str, then: str
) -> None:
    words = next_line(capsys, *shlex.split(command))
    expected = shlex.split(then.replace("{at}", str(at)))
    assert words == (expected if expected[0] == "swift" else ["locvlm", *expected])


@pytest.mark.parametrize(
    "command",
    [
        "inspect data/shop --out looks --json",
        "export data/shop --to llava --out chat.jsonl --json",
        "import chat.json --from llava --format ivb --images 'my photos' --out chat --json",
        "compare a b --json",
        "prove a b --json",
    ],
)
def test_programs_read_json_alone(at: Path, capsys: CaptureFixture[str], command: str) -> None:
    capsys.readouterr()
    assert cli.main(shlex.split(command)) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)
    assert "next:" not in said.err


def test_described_as_json(
    at: Path, monkeypatch: pytest.MonkeyPatch, capsys: CaptureFixture[str]
) -> None:
    from locvlm.pseudo import describe

    found = describe.DescriptionSummary(pictures=2, asked=3, kept=1, drops=Counter(plain=2))
    monkeypatch.setattr(describe, "describe", lambda *_, **__: found)
    capsys.readouterr()
    command = "pseudo describe --annotations coco.json --out new.json --json --images"
    assert cli.main([*command.split(), "my photos"]) == 0
    said = capsys.readouterr()
    row = json.loads(said.out)
    assert (row["out"], row["asked"], row["drops"]) == ("new.json", 3, {"plain": 2})
    assert "next:" not in said.err


def test_a_trained_model_is_asked_about_held_out_images(
    at: Path, monkeypatch: pytest.MonkeyPatch, capsys: CaptureFixture[str]
) -> None:
    from locvlm.training import recipe_file, train

    monkeypatch.setattr(recipe_file, "read_recipe", lambda *_: None)
    monkeypatch.setattr(train, "train_recipe", lambda _: Path("runs/mine/model"))
    locate = ["locvlm", "locate", "PHOTO.jpg", "WHAT", "--model", "runs/mine/model"]
    assert next_line(capsys, "train", "recipe.yaml") == locate

    Path("runs/mine").mkdir(parents=True)
    learned = {"model": "tiny", "data": ["data/shop"], "out": "runs/mine", "stages": {}}
    Path("runs/mine/recipe.json").write_text(json.dumps(learned))
    assert next_line(capsys, "train", "recipe.yaml") == locate

    manifest = json.loads(Path("data/shop/manifest.json").read_text())
    manifest["split_images"] = {"train": 1, "val": 1}
    Path("data/shop/manifest.json").write_text(json.dumps(manifest))
    assert next_line(capsys, "train", "recipe.yaml") == [
        *[
            "locvlm",
            "eval",
            "--model",
            "runs/mine/model",
            "--task",
            "locate",
            "--annotations",
            "data/shop",
        ],
        *("--out", "runs/mine/eval"),
    ]
