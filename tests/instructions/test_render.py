import pytest

from locvlm import coordinates
from locvlm.geometry import Box, Frame, Location, Point
from locvlm.instructions.base import Instruction
from locvlm.instructions.render import render

IVB = coordinates.get("ivb", bins=224)
BOX, POINT = Box(10, 120, 30, 145), Point(20, 132.5)


def ask(question: str, answer: str, *places: Location, kind: str = "box") -> Instruction:
    return Instruction("test", question, answer, places, kind)  # type: ignore[arg-type]


def test_text_without_places() -> None:
    assert render(ask("", ""), IVB, (1, 1)) == ("", "")
    assert render(ask("What is here?", "dog {a}"), IVB, (1, 1)) == ("What is here?", "dog {a}")


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("nfp", "(0.0195,0.2344,0.0586,0.2832)"),
        ("ivb", "(4,52,13,63)"),
        ("diga", "(0,4,3,11,6,0)"),
    ],
)
def test_one_instruction_in_every_format(name: str, written: str) -> None:
    item = ask("Where, as {repr}?", "It is located at {loc}", BOX)
    form = coordinates.get(name)
    question, answer = render(item, form, (512, 512))
    assert question == f"Where, as {form.repr_of('box')}?"
    assert answer == f"It is located at {written}"


def test_box_and_point_are_described_by_kind() -> None:
    assert render(ask("{repr}", ""), IVB, (9, 9))[0] == "(x1,y1,x2,y2) bbox"
    assert render(ask("{repr}", "", kind="point"), IVB, (9, 9))[0] == "(cx,cy) point"


def test_question_is_filled_before_the_answer() -> None:
    item = ask("{loc} or {loc}?", "{loc}", POINT, BOX, POINT)
    question, answer = render(item, IVB, (512, 512))
    assert question == "(9,58) or (4,52,13,63)?"
    assert answer == "(9,58)"


def test_frame_is_the_models() -> None:
    wide = (512, 256)
    item = ask("", "{loc}", Box(0, 0, 512, 256))
    assert render(item, IVB, wide)[1] == "(0,0,224,224)"
    assert render(item, IVB, Frame.pad_to_square(wide, 224))[1] == "(0,56,224,168)"


@pytest.mark.parametrize(
    "item",
    [ask("", "", BOX), ask("{loc}", ""), ask("{loc}", "{loc}", BOX), ask("{loc}", "", BOX, BOX)],
)
def test_places_that_do_not_fill_the_text(item: Instruction) -> None:
    with pytest.raises(ValueError, match="locations do not fill"):
        render(item, IVB, (10, 10))
