"""A model whose processor crops is not asked about what it does not see; that is counted."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from locvlm import cli
from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.errors import InputError
from locvlm.evaluation import run_files, runner, tasks
from locvlm.evaluation.reports.comparison import write_comparison
from locvlm.evaluation.reports.paired import compare_runs
from locvlm.evaluation.task import Sources
from locvlm.evaluation.unseen import find_unseen
from locvlm.geometry import Box
from locvlm.instructions.visible import UNSEEN_QUESTIONS, FieldOfView
from tests import families
from tests.evaluation.conftest import CATEGORIES, Scripted, box_at
from tests.evaluation.running import DETECTION, evaluate, questions_of, score

SEEN = Box(50, 0, 350, 300)  # of 400 x 300, by a LLaVA-1.5


@pytest.fixture
def annotations() -> AnnotationSet:
    """The cat and the kite of the first are outside, and so is all of the third; a cat is cut."""
    first = (
        Object("dog", box_at(100, 100)),
        Object("cat", box_at(20, 250)),
        Object("cup", box_at(330, 60, 20)),
        Object("kite", box_at(375, 150)),
    )
    second = (
        Object("cat", box_at(100, 100)),
        Object("dog", box_at(250, 200)),
        Object("cup", box_at(60, 250)),
    )
    third = (Object("cat", box_at(20, 100)), Object("cup", box_at(390, 100, 20)))
    fourth = (Object("cat", box_at(60, 100)), Object("cat", box_at(20, 250)))
    crowds = [Object(name, box_at(150, 150), crowd=True) for name in ("person", "hot dog")]
    crowds += [Object(name, box_at(150, 150), crowd=True) for name in ("clock", "sofa")]
    return AnnotationSet(
        (
            AnnotatedImage(1, "1.png", 400, 300, first),
            AnnotatedImage(2, "two/2.png", 300, 300, second),
            AnnotatedImage(3, "3.png", 400, 300, third),
            AnnotatedImage(4, "4.png", 400, 300, fourth),
            AnnotatedImage(5, "5.png", 300, 300, tuple(crowds)),  # so that each category has a box
        ),
        CATEGORIES,
        Path("small.json"),
    )


def crop(model: Scripted) -> Scripted:
    """The model with a processor that crops."""
    view: Any = lambda sizes: FieldOfView(families.build("llava")[1], sizes)  # noqa: E731
    model.field_of_view = view  # type: ignore[attr-defined]
    model.name = model.digest = "cropping"
    return model


def ids(folder: Path) -> list[str]:
    return [row.id for row in run_files.read_scored(folder)]


# Of the questions about the first picture and the third
ASKED = {
    "locate": ["1/dog", "1/cup", "2/cat", "2/dog", "2/cup"],
    "describe": [
        *("1/0/dog", "1/2/cup", "2/0/cat", "2/1/dog", "2/2/cup", "4/0/cat"),
    ],
    "coco-spatial": [
        "1/left-right/direct/cup>dog",
        "1/left-right/in-context/cup>dog",
        "1/left-right/direct/dog>cup",
        "1/left-right/in-context/dog>cup",
    ],
}


@pytest.mark.parametrize("task", sorted(ASKED))
def test_what_is_asked(
    task: str,
    annotations: AnnotationSet,
    images: Path,
    tmp_path: Path,
    scripted: Callable[..., Scripted],
) -> None:
    model, out = crop(scripted(task)), tmp_path / "out"
    every = questions_of(task, annotations)
    result = evaluate(model, task, annotations, images, out)
    asked = ids(out)
    assert set(asked) >= set(ASKED[task])
    assert not [id for id in asked if id[0] in "13" and id not in ASKED[task]]
    skipped = len(every) - len(asked)
    assert skipped and result["skipped"][UNSEEN_QUESTIONS] == skipped == len(result["unseen"])
    assert result["examples"][UNSEEN_QUESTIONS] == result["unseen"][0]
    assert result["unanswered"] == 0
    assert (
        f"- Skipped, {UNSEEN_QUESTIONS}: {skipped} (the first: " in (out / "report.md").read_text()
    )
    assert sum(map(len, model.asked)) == len(asked)
    again = score(task, out / "predictions.jsonl", annotations, tmp_path / "again")
    assert again["scores"] == result["scores"] and again["skipped"] == result["skipped"]


def test_yes_needs_one_of_the_things(
    annotations: AnnotationSet, images: Path, tmp_path: Path, scripted: Callable[..., Scripted]
) -> None:
    every = questions_of("hal-coco", annotations)
    unseen = find_unseen(crop(scripted("hal-coco")), every)
    there = {q.id: q.expected for q in every}
    assert {there[id] for id in unseen} == {"yes"}
    assert {"3/cat", "3/cup"} <= set(unseen)
    assert set(unseen) <= {"1/cat", "1/kite", "3/cat", "3/cup"}  # "4/cat" is cut, and seen


def test_sentences_about_what_is_not_seen(tmp_path: Path) -> None:
    boxes = [[2, 10, 20, 20], [60, 10, 20, 20]]  # x, y, width, height; of 120 x 60
    refs = [
        {"ref_id": n, "ann_id": n, "image_id": 7, "split": "val",
         "sentences": [{"sent_id": n, "sent": f"dog {n}"}]}
        for n in (0, 1)
    ]  # fmt: skip
    tree = {
        "images": [{"id": 7, "file_name": "7.jpg", "width": 120, "height": 60}],
        "annotations": [
            {"id": n, "image_id": 7, "category_id": 1, "bbox": box} for n, box in enumerate(boxes)
        ],
        "categories": [{"id": 1, "name": "dog"}],
    }
    (tmp_path / "instances.json").write_text(json.dumps(tree))
    (tmp_path / "refs(umd).p").write_bytes(pickle.dumps(refs))
    for task in ("refcoco", "refcoco-box"):
        sources = Sources({"references": tmp_path / "refs(umd).p"})
        every = tasks.load(task, sources, seed=0, options={"split": "val"})
        assert find_unseen(crop(Scripted({}, lambda *_: "")), every) == ["0"]


def test_they_are_asked_all_the_same_if_one_wants(
    annotations: AnnotationSet, images: Path, tmp_path: Path, scripted: Callable[..., Scripted]
) -> None:
    """And a run may be ended the other way: its answers about what is not seen do not count."""
    model = crop(scripted("locate"))
    out = tmp_path / "out"
    result = evaluate(model, "locate", annotations, images, out, ask_unseen=True)
    assert result["questions"] == 9 and UNSEEN_QUESTIONS not in result["skipped"]
    result = evaluate(model, "locate", annotations, images, out)
    assert result["questions"] == 5 and result["skipped"][UNSEEN_QUESTIONS] == 4
    assert len((out / "predictions.jsonl").read_text().splitlines()) == 9


def test_the_first_pictures_are_the_same_for_all(
    annotations: AnnotationSet, images: Path, tmp_path: Path, scripted: Callable[..., Scripted]
) -> None:
    """The limit counts pictures before any is left out, or runs could not be compared."""
    evaluate(scripted("describe"), "describe", annotations, images, tmp_path / "a", limit=3)
    model = crop(scripted("describe"))
    result = evaluate(model, "describe", annotations, images, tmp_path / "b", limit=3)
    assert result["pictures"] == 2
    assert result["skipped"][UNSEEN_QUESTIONS] == 4
    found = compare_runs(tmp_path / "a", tmp_path / "b")
    assert found.lacks == (0, 4)
    result = evaluate(model, "describe", annotations, images, tmp_path / "b")
    assert (result["pictures"], result["skipped"][UNSEEN_QUESTIONS]) == (3, 5)


@pytest.mark.parametrize("task", DETECTION)
def test_only_what_both_were_asked_is_compared(
    task: str,
    annotations: AnnotationSet,
    images: Path,
    tmp_path: Path,
    scripted: Callable[..., Scripted],
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole, cropping = tmp_path / "whole", tmp_path / "cropping"
    all_of = evaluate(scripted(task), task, annotations, images, whole)["questions"]
    some = evaluate(crop(scripted(task)), task, annotations, images, cropping)["questions"]
    for a, b in ((whole, cropping), (cropping, whole)):
        found = compare_runs(a, b)
        assert found.lacks[a is whole] == all_of - some > 0 == found.lacks[b is whole]
        assert len(found.only_a) + len(found.only_b) + found.both + found.neither == some
        assert max(each.n for each in found.scores.values()) <= some
    shown = ["compare", str(whole), str(cropping), "--images", str(images)]
    assert cli.main([*shown, "--out", str(tmp_path / "page")]) == 0
    words = f"not compared: {all_of - some} questions of scripted about what cropping does not see"
    assert words in capsys.readouterr().out
    assert (tmp_path / "page" / "report.html").exists()
    assert cli.main([*shown[:3], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["unseen"] == {"a": 0, "b": all_of - some}


def test_other_differences_are_still_refused(
    annotations: AnnotationSet, images: Path, tmp_path: Path, scripted: Callable[..., Scripted]
) -> None:
    evaluate(scripted("locate"), "locate", annotations, images, tmp_path / "a", limit=1)
    evaluate(crop(scripted("locate")), "locate", annotations, images, tmp_path / "b")
    with pytest.raises(InputError, match="do not have the same questions"):
        compare_runs(tmp_path / "a", tmp_path / "b")
    runs = {name: {"locate": tmp_path / name} for name in "ab"}
    with pytest.raises(InputError, match="was not asked the same"):
        write_comparison(runs, images, tmp_path / "page")


def test_two_models_that_see_nothing_in_common(
    annotations: AnnotationSet,
    images: Path,
    tmp_path: Path,
    scripted: Callable[..., Scripted],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for start, name in enumerate("ab"):
        half = slice(start, None, 2)
        monkeypatch.setattr(
            runner, "find_unseen", lambda _, asked, half=half: [each.id for each in asked][half]
        )
        evaluate(scripted("locate"), "locate", annotations, images, tmp_path / name)
    with pytest.raises(InputError, match="have no question in common; neither sees what the other"):
        compare_runs(tmp_path / "a", tmp_path / "b")


def test_nothing_that_is_seen(
    annotations: AnnotationSet, images: Path, tmp_path: Path, scripted: Callable[..., Scripted]
) -> None:
    hidden = AnnotationSet(annotations.images[2:3], CATEGORIES, Path("small.json"))
    with pytest.raises(InputError, match=r"all are questions about what lies outside .*: 2; ask"):
        evaluate(crop(scripted("locate")), "locate", hidden, images, tmp_path / "out")


def test_questions_without_boxes_stay(tmp_path: Path) -> None:
    rows = [{"question_id": 1, "image": "1.png", "text": "Is there a dog?", "label": "yes"}]
    path = tmp_path / "pope.json"
    path.write_text("\n".join(map(json.dumps, rows)))
    every = tasks.load("pope", Sources({"questions": path}), seed=0, options={})
    assert find_unseen(crop(Scripted({}, lambda *_: "")), every) == []


def test_a_model_that_does_not_tell_is_asked_everything(annotations: AnnotationSet) -> None:
    assert find_unseen(Scripted({}, lambda *_: ""), questions_of("locate", annotations)) == []
