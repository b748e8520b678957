"""Templates from a file: used where given, refused in one line where they cannot work."""

import random
from pathlib import Path

import pytest

from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.errors import InputError
from locvlm.geometry import Box
from locvlm.instructions.build import QuestionOptions, build
from locvlm.instructions.objectives import template_rules
from locvlm.instructions.templates import Templates, draw_template, read_templates

CUP = Box(0, 0, 30, 30)
DATA = AnnotationSet(
    [
        AnnotatedImage(
            1,
            "1.jpg",
            100,
            100,
            (Object("dog", CUP), Object("cup", CUP), Object("cup", CUP)),
            ("A caption.",),
        )
    ],
    ("dog", "cup", "bus"),
    Path("a.json"),
)


def read(tmp_path: Path, text: str) -> Templates:
    (tmp_path / "own.yaml").write_text(text)
    return read_templates(tmp_path / "own.yaml", template_rules())


def refused(tmp_path: Path, text: str) -> str:
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)
    assert "own.yaml" in str(caught.value)
    return str(caught.value)


def test_nothing_given(tmp_path: Path) -> None:
    own = read(tmp_path, "{}")
    assert own.of("locpred", "prompts", ("as it was",)) == ("as it was",)


def test_only_one_draws_nothing() -> None:
    rng = random.Random(0)
    before = rng.getstate()
    assert draw_template(("one",), rng) == "one"
    assert rng.getstate() == before
    assert {draw_template(("one", "two"), rng) for _ in range(30)} == {"one", "two"}


def test_every_objective_uses_them(tmp_path: Path) -> None:
    own = read(
        tmp_path,
        """
        locpred: {prompts: "Find {category}", answers: "Here: {loc}"}
        negpred: {answers: ["Nowhere"]}
        multiple: {prompts: "Find each {category}", answers: "Here: {loc}."}
        presence: {prompts: "A {category}?", answers: "Yes: {loc}", absent: "No"}
        revloc: {prompts: "What at {loc}?", answers: "A {category}"}
        caption: {prompts: "Say it"}
        category: {prompts: "List"}
        """,
    )
    names = ("locpred", "negpred", "multiple", "presence", "revloc", "caption", "category")
    (made,) = build(DATA, QuestionOptions(names, templates=own)).conversations
    assert {(i.objective, i.question, i.answer) for i in made.instructions} == {
        ("locpred", "Find dog", "Here: {loc}"),
        ("negpred", "Find bus", "Nowhere"),  # the prompts of locpred
        ("multiple", "Find each cup", "Here: {loc} and {loc}."),
        *(("presence", f"A {name}?", "Yes: {loc}") for name in _present(made)),
        ("presence", "A bus?", "No"),
        ("revloc", "What at {loc}?", "A dog"),
        ("revloc", "What at {loc}?", "A cup"),
        ("caption", "Say it", "A caption."),
        ("category", "List", "dog, cup"),
    }


def _present(made) -> list[str]:
    found = [i for i in made.instructions if i.objective == "presence" and i.locations]
    assert len(found) == 1
    return [found[0].category]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "not a file of templates"),
        ("- a", "not a file of templates"),
        ("locpred: {prompts: [3]}", "locpred.prompts[0] is no text: 3"),
        ("locpred: a", "not a file of templates"),
        ("other: {prompts: a}", "other has no templates; those that have: locpred"),
        ("spatial: {prompts: a}", "spatial has no templates"),
        ("locpred: {absent: a}", "locpred has no 'absent'; it has: prompts, answers"),
        ("locpred: {prompts: []}", "locpred.prompts is empty"),
        ("caption: {prompts: ' '}", "caption.prompts[0] is empty"),
        ("locpred: {prompts: ['{category}', 'x']}", "locpred.prompts[1] must have {category} once"),
        ("locpred: {answers: '{loc} {loc}'}", "locpred.answers[0] must have {loc} once"),
        ("revloc: {prompts: '{loc} {category}'}", "has {category}, which is not filled here"),
        ("revloc: {answers: '{category} {'}", "has a single brace"),
        ("multiple: {answers: 'left to right: {loc}'}", "says 'left'"),
    ],
)
def test_refused(tmp_path: Path, text: str, message: str) -> None:
    assert message in refused(tmp_path, text)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_templates(tmp_path / "none.yaml", template_rules())
