"""Evaluation asks about the split that is held out, or the one it is told, and says so."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from locvlm import cli
from locvlm.errors import InputError
from locvlm.evaluation import run_files, tasks
from locvlm.evaluation.runner import evaluate
from locvlm.evaluation.scoring import score
from locvlm.evaluation.suites.suite import Entry, find_sources, read_suite
from locvlm.evaluation.task import Sources
from locvlm.instructions.build_files import BuildOptions, build_from_files
from tests.evaluation.conftest import Scripted

SPLITS = {"train": 3, "val": 2, "test": 1}
COLOUR = (9, 9, 9)


@pytest.fixture
def yolo(tmp_path: Path) -> Path:
    """A dog in each image; the splits as above."""
    root = tmp_path / "set"
    for split, count in SPLITS.items():
        for kind in ("images", "labels"):
            (root / kind / split).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (60, 40), COLOUR).save(root / "images" / split / f"{number}.png")
            (root / "labels" / split / f"{number}.txt").write_text("0 .5 .5 .5 .5\n")
    write_yaml(root, *SPLITS)
    return root


def write_yaml(root: Path, *splits: str) -> None:
    places = "".join(f"{split}: images/{split}\n" for split in splits)
    (root / "data.yaml").write_text(f"{places}names: [dog]\n")


@pytest.fixture
def built(yolo: Path) -> Path:
    out = yolo.parent / "data"
    build_from_files(yolo, yolo, out, BuildOptions(reader="yolo"))
    return out


def sources(root: Path, split: str | None = None, images: Path | None = None) -> Sources:
    return Sources({"annotations": root}, images, split=split)


def asked(where: Sources) -> dict[str, int]:
    loaded = tasks.load("locate", where, seed=0, options={})
    names = [question.image.split("/")[1] for question in loaded]
    return {name: names.count(name) for name in SPLITS if name in names}


@pytest.mark.parametrize(
    ("there", "split", "expected"),
    [
        (("train", "val", "test"), None, "val"),
        (("train", "test"), None, "test"),
        (("train",), None, "train"),
        (("train", "val"), "train", "train"),
        (("train", "val"), "valid", "val"),
        (("train", "val", "test"), "all", "train val test"),
    ],
)
def test_what_is_asked_about(
    yolo: Path, there: tuple[str, ...], split: str | None, expected: str
) -> None:
    write_yaml(yolo, *there)
    wanted = {name: SPLITS[name] for name in expected.split()}
    assert asked(sources(yolo, split, yolo)) == wanted


@pytest.mark.parametrize("split", [None, "train", "all"])
def test_a_built_data_set_asks_the_same(yolo: Path, built: Path, split: str | None) -> None:
    """And knows where its images are."""
    ours, theirs = (
        tasks.load("locate", each, seed=3, options={})
        for each in (sources(built, split), sources(yolo, split, yolo))
    )
    assert ours.questions == theirs.questions
    assert ours.split == theirs.split
    assert ours.sources.images == yolo


def test_no_such_split(yolo: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no split 'minival'; it has: 'train, val, test'"):
        asked(sources(yolo, "minival", yolo))
    tree: dict[str, Any] = {"images": [], "annotations": [], "categories": []}
    (tmp_path / "c.json").write_text(json.dumps(tree))
    with pytest.raises(InputError, match="no split 'val'; it has none"):
        asked(sources(tmp_path / "c.json", "val"))


@pytest.fixture
def model() -> Scripted:
    return Scripted({}, lambda question, ideal: "no idea")


@pytest.fixture
def run(yolo: Path, model: Scripted, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setattr(model, "_answers", lambda view, questions: ["no idea"] * len(questions))

    def start(split: str | None = None) -> dict[str, Any]:
        return evaluate(model, "locate", sources(yolo, split, yolo), yolo.parent / "out")

    return start


def test_it_is_said(run: Callable[..., Any], yolo: Path, capsys: Any) -> None:
    result = run()
    out = yolo.parent / "out"
    assert (result["split"], result["pictures"]) == ("val", 2)
    assert json.loads((out / run_files.RUN).read_text())["split"] == "val"
    assert "- Asked about split val: 2 pictures" in (out / run_files.REPORT).read_text()
    files = ["--annotations", str(yolo), "--images", str(yolo)]
    predictions = ["--predictions", str(out / run_files.PREDICTIONS)]
    assert cli.main(["score", "locate", *predictions, *files]) == 0
    assert "asked about split val: 2 pictures" in capsys.readouterr().out


def test_all_is_said_too(run: Callable[..., Any], yolo: Path) -> None:
    assert run("all")["split"] == "all"
    report = (yolo.parent / "out" / run_files.REPORT).read_text()
    assert "- Asked about all splits: 6 pictures" in report


def test_scoring_takes_the_split_of_the_run(run: Callable[..., Any], yolo: Path) -> None:
    run("train")
    predictions = yolo.parent / "out" / run_files.PREDICTIONS
    result = score("locate", predictions, sources(yolo, images=yolo))
    assert (result["split"], result["questions"]) == ("train", 3)
    with pytest.raises(InputError, match="or it is of another split"):
        score("locate", predictions, sources(yolo, "val", yolo))


def test_another_split_does_not_go_into_the_same_folder(run: Callable[..., Any]) -> None:
    run("val")
    run("val")
    with pytest.raises(InputError, match=r"about split val, not train; give --split val, or"):
        run("train")


def as_older(yolo: Path, kept: int) -> None:
    """The run, as an older version left it when it was stopped after some answers."""
    out = yolo.parent / "out"
    settings = json.loads((out / run_files.RUN).read_text())
    del settings["split"]
    (out / run_files.RUN).write_text(json.dumps(settings))
    lines = (out / run_files.PREDICTIONS).read_text().splitlines(keepends=True)
    (out / run_files.PREDICTIONS).write_text("".join(lines[:kept]))


def test_a_run_of_an_older_version_goes_on_with_all_splits(
    run: Callable[..., Any], yolo: Path
) -> None:
    run("all")
    as_older(yolo, 4)
    with pytest.raises(InputError, match=r"an older LocVLM began, about all splits; go on with"):
        run()
    result = run("all")
    assert (result["split"], result["questions"]) == ("all", 6)
    as_older(yolo, 6)
    predictions = yolo.parent / "out" / run_files.PREDICTIONS
    assert score("locate", predictions, sources(yolo, images=yolo))["questions"] == 6


def test_a_run_of_an_older_version_about_one_split_goes_on(
    run: Callable[..., Any], yolo: Path
) -> None:
    write_yaml(yolo, "train")
    run()
    as_older(yolo, 1)
    assert run()["questions"] == 3


def test_suites(yolo: Path, tmp_path: Path) -> None:
    entry = Entry(name="a", task="locate", files={"annotations": "set"}, images="set")
    assert find_sources(entry, tmp_path).split is None
    (tmp_path / "s.yaml").write_text(
        "- {name: a, task: locate, files: {annotations: set}, images: set, split: test}"
    )
    [entry] = read_suite(str(tmp_path / "s.yaml"))
    assert asked(find_sources(entry, tmp_path)) == {"test": 1}
    assert find_sources(entry, sources(yolo, "train", yolo)).split == "test"


class TestCommands:
    def questions(self, root: Path, *options: str) -> list[str]:
        out = root.parent / "q.jsonl"
        command = ["questions", "locate", "--annotations", str(root), "--out", str(out), *options]
        command += ["--format", "ivb"]
        assert cli.main(command) == 0
        return [json.loads(line)["image"] for line in out.read_text().splitlines()]

    def test_questions(self, built: Path, capsys: Any) -> None:
        assert [name.split("/")[1] for name in self.questions(built)] == ["val"] * 2
        assert "2 questions about split val" in capsys.readouterr().out
        assert len(self.questions(built, "--split", "all")) == 6
        assert "6 questions about all splits" in capsys.readouterr().out

    @pytest.mark.parametrize("command", ["eval", "prove"])
    def test_a_built_one_tells_its_images(self, built: Path, command: str, capsys: Any) -> None:
        files = ["--annotations", str(built), "--out", str(built.parent / "out")]
        models = {"eval": ["--model", "nowhere", "--task", "locate"], "prove": ["nowhere"] * 2}
        assert cli.main([command, *models[command], *files, "--split", "val"]) == 2
        said = capsys.readouterr().err
        assert "nowhere" in said
        assert "--images" not in said
        assert cli.main([command, *models[command], *files, "--split", "val", "--images", "x"]) == 2

    def test_of_a_task_with_an_own_option_it_is_that(self, tmp_path: Path, capsys: Any) -> None:
        paths = ["--references", str(tmp_path / "r"), "--out", str(tmp_path / "q")]
        for options in (["--split", "nowhere"], ["--option", "split=nowhere"]):
            assert cli.main(["questions", "refcoco-box", *paths, *options]) == 2
        first, second = capsys.readouterr().err.splitlines()
        assert first == second
        both = ["--split", "val", "--option", "split=val"]
        assert cli.main(["questions", "refcoco-box", *paths, *both]) == 2
        assert "say the same; leave one out" in capsys.readouterr().err

    def test_a_task_without_annotations_has_none(self, tmp_path: Path, capsys: Any) -> None:
        command = [
            "questions",
            "pope",
            "--questions",
            str(tmp_path / "p"),
            "--out",
            str(tmp_path / "q"),
        ]
        assert cli.main([*command, "--split", "val"]) == 2
        assert "leave --split out" in capsys.readouterr().err
