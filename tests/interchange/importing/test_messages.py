from collections import Counter

import pytest

from locvlm import coordinates
from locvlm.geometry import Box, Point
from locvlm.instructions.base import Instruction
from locvlm.interchange.importing.messages import (
    LocatedMessage,
    fill_objects,
    make_instruction,
    parse_message,
)
from locvlm.records.turns import Message

IVB = coordinates.get("ivb", bins=224)
SIZE = (448, 448)
FRAME = IVB.frame(SIZE)


def test_text_without_locations_stays() -> None:
    drops: Counter[str] = Counter()
    assert parse_message(Message("user", ""), IVB, FRAME, drops) == LocatedMessage("user", "", ())
    assert parse_message(Message("user", "{a} (b)"), IVB, FRAME, drops).text == "{a} (b)"
    assert not +drops


def test_locations_become_data() -> None:
    drops: Counter[str] = Counter()
    said = parse_message(
        Message("user", "(4,52,13,63) or (9,58)? (1,2,3) (0,999)"), IVB, FRAME, drops
    )
    assert said.text == "{loc} or {loc}? (1,2,3) {loc}"
    assert said.locations == (Box(8, 104, 26, 126), Point(18, 116), Point(0, 448))
    assert drops == {
        "locations clipped to the picture": 1,
        "groups of numbers that are no ivb location, kept as text": 1,
    }


class TestObjects:
    TURNS = (Message("user", "The <ref-object> at <bbox>?"), Message("assistant", "<bbox><bbox>"))

    def test_in_the_order_of_the_messages(self) -> None:
        drops: Counter[str] = Counter()
        objects = {"ref": ["dog"], "bbox": [[1, 2, 3, 4.5], [5, 6], [0, 0, 500, 9]]}
        assert fill_objects(self.TURNS, objects, SIZE, drops) == [
            LocatedMessage("user", "The dog at {loc}?", (Box(1, 2, 3, 4.5),)),
            LocatedMessage("assistant", "{loc}{loc}", (Point(5, 6), Box(0, 0, 448, 9))),
        ]
        assert drops == {"locations clipped to the picture": 1}

    def test_shares(self) -> None:
        objects = {"bbox": [[0.5, 0.25, 1, 1]], "bbox_type": "norm1"}
        [said] = fill_objects([Message("user", "<bbox>")], objects, (200, 100), Counter())
        assert said.locations == (Box(100, 25, 200, 100),)

    @pytest.mark.parametrize(
        "objects",
        [
            3,
            {"bbox": [[1, 2]]},
            {"ref": ["a"], "bbox": [[1, 2]] * 4},
            {"ref": [], "bbox": [[1, 2]] * 3},
            {"ref": ["a"], "bbox": [[1, 2], [1, 2], [1, 2, 3]]},
            {"ref": ["a"], "bbox": [[1, 2], [1, 2], [9, 9, 1, 1]]},
            {"ref": ["a"], "bbox": [["1", 2]] * 3},
            {"ref": ["a"], "bbox": [[1, 2]] * 3, "bbox_type": "norm1000"},
        ],
    )
    def test_what_does_not_fit(self, objects: object) -> None:
        with pytest.raises(ValueError):
            fill_objects(self.TURNS, objects, SIZE, Counter())


def said(text: str, *places: Box | Point) -> LocatedMessage:
    return LocatedMessage("user", text, places)


@pytest.mark.parametrize("text", ["{loc}", "{repr}", "a {loc}{loc}"])
def test_a_text_with_places_of_its_own_is_refused(text: str) -> None:
    assert make_instruction(said(text), said(""), IVB) is None
    assert make_instruction(said(""), said(text), IVB) is None


def test_other_braces_are_text() -> None:
    made = make_instruction(said("{}"), said('{"at": {loc}}', Point(1, 2)), IVB)
    assert made == Instruction("mixed", "{}", '{"at": {loc}}', (Point(1, 2),), "point")


def test_the_name_of_the_format_becomes_its_place() -> None:
    made = make_instruction(said("Where, as (cx,cy) point?"), said("Nowhere"), IVB)
    assert made == Instruction("mixed", "Where, as {repr}?", "Nowhere", (), "point")
    made = make_instruction(
        said("(x1,y1,x2,y2) bbox or (cx,cy) point?"), said("{loc}", Box(1, 2, 3, 4)), IVB
    )
    assert made is not None
    assert (made.question, made.kind) == ("{repr} or (cx,cy) point?", "box")
