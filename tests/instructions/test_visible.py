"""Only what a model sees is asked about, whatever the question; what is not is counted."""

import copy
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.annotations.cropping import ENOUGH
from locvlm.geometry import Box, Point
from locvlm.instructions.base import Conversation, Instruction
from locvlm.instructions.build import QuestionOptions, ask_about_image, make_plan
from locvlm.instructions.objectives import RELATIONS, names
from locvlm.instructions.visible import FieldOfView, VisibilityReport, keep_visible, places_of
from locvlm.models.video_llava.processor import PooledVideoLlavaProcessor
from locvlm.models.whole_images import show_whole
from locvlm.processors import frame_of
from tests import families

SIZE = (120, 60)  # a LLaVA-1.5 sees the square in the middle: x from 30 to 90
SEEN = Box(30, 0, 90, 60)
NAMES = ("dog", "cat", "cup", "bus")
INSIDE, CUT, OUTSIDE = Box(40, 10, 60, 30), Box(20, 10, 50, 30), Box(2, 10, 28, 30)
MOSTLY_OUTSIDE = Box(10, 10, 49, 30)  # 19 of its 39 columns are seen


def view(*sizes: tuple[int, int], processor: Any = None) -> FieldOfView:
    return FieldOfView(processor or families.build("llava")[1], sizes or [SIZE])


def image(*objects: Object) -> AnnotatedImage:
    return AnnotatedImage(1, "1.jpg", *SIZE, objects, captions=("A dog.",))


def keep(
    items: list[Instruction], annotated: AnnotatedImage | None = None
) -> tuple[list[Instruction], VisibilityReport]:
    asked = Conversation("1.jpg", *SIZE, tuple(items))
    (kept,), report = keep_visible([asked], view(), {"1.jpg": annotated}.get)
    return list(kept.instructions) if kept else [], report


def everything(annotated: AnnotatedImage, seed: int, location: str = "box") -> list[Instruction]:
    choice: Any = location
    options = QuestionOptions(objectives=tuple(names()), location=choice, spatial=RELATIONS)
    plan = make_plan(AnnotationSet([annotated], NAMES, Path("a.json")), options)
    return list(ask_about_image(plan, annotated, seed, names()))


@pytest.mark.parametrize(
    ("box", "kept", "cut"),
    [(INSIDE, 1, 0), (CUT, 1, 1), (MOSTLY_OUTSIDE, 0, 0), (OUTSIDE, 0, 0)],
)
@pytest.mark.parametrize("objective", ["locpred", "revloc", "mixed"])
def test_a_place_is_asked_about_where_half_of_it_is_seen(
    objective: str, box: Box, kept: int, cut: int
) -> None:
    texts = ("What is at {loc}?", "A dog.") if objective == "revloc" else ("Where?", "At {loc}")
    items, report = keep([Instruction(objective, *texts, (box,))])
    assert (len(items), report.cut, report.images) == (kept, cut, 1 - kept)
    assert report.left_out == ({} if kept else {objective: 1})
    assert bool(report.examples) != bool(kept)


def test_a_point_stands_for_its_object() -> None:
    def point(box: Box) -> Instruction:
        return Instruction("locpred", "Where?", "At {loc}", (box.center,), "point", (box,))

    assert [len(keep([point(box)])[0]) for box in (INSIDE, CUT, OUTSIDE)] == [1, 1, 0]
    wide = Box(0, 10, 120, 30)  # its center is seen; of 30 to 90 just the half
    assert len(keep([point(wide)])[0]) == 1
    assert not keep([point(Box(0, 10, 119, 30).flip(150))])[0]
    alone = Instruction("revloc", "What is at {loc}?", "A dog.", (Point(31, 5),), "point")
    outside = Instruction("revloc", "What is at {loc}?", "A dog.", (Point(29, 5),), "point")
    assert keep([alone, outside])[0] == [alone]


def test_lists_need_all_that_they_name() -> None:
    dog, cat, far = Object("dog", INSIDE), Object("cat", CUT), Object("cup", OUTSIDE)
    question = Instruction("category", "What objects are in this image?", "dog, cat")
    assert keep([question], image(dog, cat))[0] == [question]
    assert keep([question], image(dog, cat, far))[1].left_out == {"category": 1}
    assert keep([question], None)[1].left_out == {"category": 1}  # nobody knows
    crowd = Object("cat", CUT, crowd=True)
    assert not keep([question], image(dog, crowd))[0]
    several = Instruction("multiple", "Where?", "{loc} and {loc}", (INSIDE, CUT))
    assert keep([several])[0] == [several]
    assert not keep([Instruction("multiple", "Where?", "{loc} and {loc}", (INSIDE, OUTSIDE))])[0]


def test_captions_negatives_and_texts_stay() -> None:
    items = [
        Instruction("caption", "Describe the image.", "A dog."),
        Instruction("negpred", "Where is the bus?", "There is no such object in the image"),
        Instruction("presence", "Is there a bus, and where?", "No"),
        Instruction("mixed", "What is this?", "A dog."),
    ]
    assert keep(items)[0] == items


def test_yes_needs_the_one_that_is_located() -> None:
    def there(largest: Box, *others: Box) -> Instruction:
        evidence = (largest, *others)
        return Instruction("presence", "Is it there?", "Yes, at {loc}", (largest,), "box", evidence)

    assert keep([there(INSIDE, OUTSIDE)])[0]
    assert not keep([there(OUTSIDE, INSIDE)])[0]


def test_a_side_that_a_crop_turns_round_is_not_asked_about() -> None:
    """The dog's center is left of the cat's; of what is seen it is on the right."""
    texts = "Which side of cat is dog located?", "The dog is located to the left of cat."
    wide, cat = Box(6, 0, 82, 20), Box(53, 20, 59, 40)
    dogs = [wide, Box(0, 0, 20, 20), Box(31, 0, 40, 20)]
    asked = [Instruction("spatial", *texts, evidence=(cat, dog)) for dog in dogs]
    assert wide.center.x + 12 <= cat.center.x and wide.within(SEEN).center.x == cat.center.x
    assert keep(asked)[0] == asked[2:]


boxes = st.builds(
    lambda x, y, w, h: Box(x, y, min(x + w, SIZE[0]), min(y + h, SIZE[1])),
    st.integers(0, SIZE[0] - 1),
    st.integers(0, SIZE[1] - 1),
    st.integers(1, SIZE[0]),
    st.integers(1, SIZE[1]),
)
things = st.lists(st.builds(Object, st.sampled_from(NAMES), boxes, st.booleans()), max_size=6)


@given(things, st.integers(0, 99), st.sampled_from(["box", "point", "both"]))
def test_whatever_is_asked_is_true_of_what_is_seen(
    objects: list[Object], seed: int, location: str
) -> None:
    """No box that is asked about shrinks to a line, and no answer rests on what is hidden."""
    annotated = image(*objects)
    items = everything(annotated, seed, location)
    kept, report = keep(items, annotated)
    frame = frame_of(families.build("llava")[1], SIZE)
    for item in kept:
        for box in places_of(item):
            if isinstance(box, Box):
                there = frame.apply(box)
                assert isinstance(there, Box)
                assert there.clip(*frame.model).area >= ENOUGH * there.area * (1 - 1e-9) > 0
            else:
                assert SEEN.x1 <= box.x <= SEEN.x2
        if item.objective == "category":
            for name in item.answer.split(", "):
                assert any(o.box.overlaps(SEEN) for o in objects if o.category == name)
    counts = Counter(item.objective for item in items)
    counts.subtract(item.objective for item in kept)
    assert report.left_out == +counts
    assert not {"caption", "negpred"} & report.left_out.keys()


@given(things, st.integers(0, 99))
def test_a_model_that_sees_everything_is_asked_everything(objects: list[Object], seed: int) -> None:
    asked = [Conversation("1.jpg", *SIZE, tuple(everything(image(*objects), seed)))]
    for name in ("llava_next", "qwen2_vl", "idefics3", "paligemma", "internvl"):
        whole = view(processor=families.build(name)[1])
        assert whole.sees_all
        assert keep_visible(asked, whole, {}.get) == (asked, VisibilityReport())
    stretched = show_whole(copy.deepcopy(families.build("llava")[1]))
    assert view(processor=stretched).sees_all


class OtherCrop(type(families.build("llava")[1].image_processor)):  # type: ignore[misc]
    """One whose steps are its own: only test pictures tell."""

    def center_crop(self, *args: Any, **kwargs: Any) -> Any:
        return super().center_crop(*args, **kwargs)


def test_a_processor_without_a_formula_is_looked_at() -> None:
    images = families.build("llava")[1].image_processor
    odd = OtherCrop(size=images.size, crop_size=images.crop_size)
    part = view(processor=odd).part(SIZE)
    assert part is not None and abs(part.x1 - 30) < 1 and abs(part.x2 - 90) < 1
    assert view((60, 60), processor=odd).sees_all
    odd = OtherCrop(size=images.crop_size, crop_size=images.crop_size)
    seen = view((60, 60), (120, 60), (61, 80), processor=odd)
    assert seen.sees_all and seen.part((120, 61)) is None


def test_what_cannot_be_told_is_said_and_leaves_nothing_out() -> None:
    images = copy.deepcopy(families.build("llava")[1].image_processor)
    images.do_center_crop, images.size = True, {"height": 0, "width": 0}
    unknown = view(processor=images)
    assert unknown.sees_all and "cannot tell the model's image size" in unknown.unknown
    _, report = keep_visible([], unknown, {}.get)
    assert "cannot be told" in report.describe()[0]


def test_a_model_of_clips_sees_what_its_pictures_show() -> None:
    clips = PooledVideoLlavaProcessor.of(families.build("llava")[1], 4)
    assert view(processor=clips).part(SIZE) == SEEN


def test_an_example_is_one_short_line() -> None:
    """A description may be long; the record of its question is for a glance."""
    said = "a man " * 50
    asked = Instruction("locpred", f"Where is {said}?", "At {loc}", (OUTSIDE,))
    [example] = keep([asked])[1].examples
    assert example.startswith("1.jpg: 'Where is a man ") and len(example) < 200
    assert example.endswith("…' 'At {loc}' at 2,10,28,30; the model sees 30,0,90,60")
