"""Questions about what a model sees of a picture; others are not asked, and are counted.

A processor may crop: of a photo of 4:3 CLIP's cuts the middle three quarters out. What lies outside
can be neither located nor described, and its box would shrink to a line on the border.

┌───┬────────┬───┐  inside, or at least half:   asked about, with the box of what is seen ("cut")
│   │  seen  │   │  outside, or less than half: not asked about
└───┴────────┴───┘  captions, negatives, other texts without a place: as they are
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from locvlm.annotations.base import AnnotatedImage
from locvlm.annotations.cropping import is_enough
from locvlm.errors import InputError, UnusableImageError
from locvlm.geometry import Box, Location, Point, Size, coords_of
from locvlm.instructions.base import Conversation, Instruction
from locvlm.instructions.dataset import read_objects
from locvlm.instructions.objectives import category, spatial
from locvlm.processors import has_formula, visible_part

EXAMPLES = 5
MOST_SIGNS = 80  # of a question or answer in an example: descriptions may be long
UNSEEN_QUESTIONS = "questions about what lies outside of what the model sees"

FindObjects = Callable[[str], AnnotatedImage | None]  # of a picture, by its name in conversations


class FieldOfView:
    """The parts of pictures that a model sees.

    Args:
        processor: the model's.
        sizes: (width, height) of the pictures. Where a processor has no formula the widest, the
            tallest, the smallest and the largest of them are looked at; one that shows these whole
            is taken to show all so.
    """

    def __init__(self, processor: Any, sizes: Iterable[Size]):
        self._processor = processor
        self._parts: dict[Size, Box | None] = {}
        self._always_all = False
        self.unknown = ""  # why it cannot be told what the processor does, if so
        every = list(dict.fromkeys(sizes))
        probed = not has_formula(processor)
        if every and probed:
            every = [pick(every, key=key) for key in (_aspect, _area) for pick in (min, max)]
        self._parts = {size: self.part(size) for size in every}
        self.sees_all = not any(self._parts.values())
        self._always_all = self.sees_all and probed  # another size would take long to look at

    def part(self, size: Size) -> Box | None:
        """What is seen of a picture of `size`, original pixels; None: all of it."""
        if self._always_all:
            return None
        if size in self._parts:
            return self._parts[size]
        try:
            return visible_part(self._processor, size)
        except UnusableImageError:  # such a picture is left out elsewhere
            return None
        except InputError as error:
            self.unknown = self.unknown or str(error)
            return None

    def keep_items(
        self, items: Iterable[Instruction], image: AnnotatedImage
    ) -> tuple[Instruction, ...]:
        """Those of the instructions about an annotated picture that can be asked."""
        part = self.part((image.width, image.height))
        return tuple(item for item in items if part is None or _shows(item, part, image))


@dataclass
class VisibilityReport:
    """What was left out of questions, and why."""

    questions: int = 0  # that were looked at: those about pictures that are not seen whole
    left_out: Counter[str] = field(default_factory=Counter)  # objective -> questions
    cut: int = 0  # questions that stay, about objects that are not seen whole
    images: int = 0  # pictures that have no question left
    examples: list[str] = field(default_factory=list)
    unknown: str = ""

    def record(self) -> dict[str, Any]:
        """For a file."""
        return {
            "questions about pictures that are not seen whole": self.questions,
            UNSEEN_QUESTIONS: dict(self.left_out),
            "questions about objects that are cut": self.cut,
            "pictures without a question left": self.images,
            "examples": self.examples,
        }

    def describe_left_out(self) -> str:
        """How many questions are left out, by objective, with an example of what is not seen."""
        each = ", ".join(f"{name} {n}" for name, n in self.left_out.most_common())
        example = f", such as {self.examples[0]}" if self.examples else ""
        return (
            f"left out, {UNSEEN_QUESTIONS}: {self.left_out.total()} of {self.questions} ({each}) "
            f"about pictures that are not seen whole{example}"
        )

    def describe(self) -> list[str]:
        """For a person: nothing where the model sees everything."""
        lines = []
        if self.unknown:
            lines.append(
                "what the model sees of some pictures cannot be told, and no question about them "
                f"is left out: {self.unknown}"
            )
        if self.left_out:
            lines.append(self.describe_left_out())
        if self.images:
            lines.append(f"pictures that have no question left: {self.images}")
        if self.cut:
            lines.append(f"questions about objects that are cut, at least half seen: {self.cut}")
        return lines


def keep_visible(
    conversations: Sequence[Conversation], view: FieldOfView, objects: FindObjects
) -> tuple[list[Conversation | None], VisibilityReport]:
    """The conversations with what can be asked; None in the place of one that has nothing left.

    Args:
        conversations: locations in original pixels.
        view: what the model sees.
        objects: of a picture, for questions that name all that is in it.
    """
    report = VisibilityReport(unknown=view.unknown)
    if view.sees_all:
        return list(conversations), report
    kept: list[Conversation | None] = []
    for conversation in conversations:
        part = view.part((conversation.width, conversation.height))
        items = conversation.instructions
        if part is not None:
            items = _keep_items(conversation, part, objects, report)
        if items and len(items) == len(conversation.instructions):
            kept.append(conversation)
        else:
            report.images += not items
            kept.append(replace(conversation, instructions=items) if items else None)
    return kept, report


def keep_visible_of(
    folder: Path, conversations: Sequence[Conversation], processor: Any
) -> tuple[list[Conversation], VisibilityReport]:
    """As `keep_visible` of the data set in `folder`, without those that have nothing left.

    Raises InputError where nothing is left at all.
    """
    view = FieldOfView(processor, ((item.width, item.height) for item in conversations))
    found: dict[str, AnnotatedImage] = {}

    def find_objects(name: str) -> AnnotatedImage | None:
        if not found:  # seldom needed
            for image in read_objects(folder).images:  # those that are asked about come first
                found.setdefault(image.file_name, image)
        return found.get(name)

    kept, report = keep_visible(conversations, view, find_objects)
    left = [item for item in kept if item is not None]
    if conversations and not left:
        raise InputError(f"{folder}: nothing is left: {report.describe_left_out()}")
    return left, report


def _keep_items(
    conversation: Conversation, part: Box, objects: FindObjects, report: VisibilityReport
) -> tuple[Instruction, ...]:
    kept = []
    for item in conversation.instructions:
        report.questions += 1
        # the objects are looked up for a list of them alone
        image = objects(conversation.image) if item.objective == category.NAME else None
        if _shows(item, part, image):
            kept.append(item)
            report.cut += any(isinstance(b, Box) and b.within(part) != b for b in places_of(item))
            continue
        report.left_out[item.objective] += 1
        if len(report.examples) < EXAMPLES:
            report.examples.append(_describe(conversation.image, item, part))
    return tuple(kept)


def _shows(item: Instruction, part: Box, image: AnnotatedImage | None) -> bool:
    """Whether a question can be asked; `image` is looked at for a list of what is in it."""
    if item.objective == category.NAME:
        return _shows_each_category(image, part)
    return is_visible(item, part)


def is_visible(item: Instruction, part: Box) -> bool:
    """Whether an instruction can be asked about a picture of which `part` is seen.

    All places that it writes must be seen, at least half of each; one that writes none (which side,
    how many) needs all that its answer is about, and what is seen must stand as the answer says.
    """
    if not all(is_seen(place, part) for place in places_of(item)):
        return False
    return item.objective != spatial.NAME or spatial.still_holds(item, part)


def is_seen(place: Location, part: Box) -> bool:
    """Whether a place, original pixels, can be asked about where `part` of its picture is seen."""
    if isinstance(place, Box):
        return is_enough(place, place.within(part))
    return part.x1 <= place.x <= part.x2 and part.y1 <= place.y <= part.y2


def touches(place: Location, part: Box) -> bool:
    """Whether anything of a place, original pixels, is seen."""
    if isinstance(place, Box):
        inside = place.within(part)
        return inside == place or inside.area > 0
    return is_seen(place, part)


def places_of(item: Instruction) -> Sequence[Location]:
    """What must be seen for an instruction: of a point its object's box, where that is known."""
    if not item.locations:
        return item.evidence
    if not item.evidence:
        return item.locations
    boxes = {each.center: each for each in item.evidence if isinstance(each, Box)}
    return [
        boxes.get(place, place) if isinstance(place, Point) else place for place in item.locations
    ]


def _shows_each_category(image: AnnotatedImage | None, part: Box) -> bool:
    """Whether of each category in a picture one object is seen, so that a list of them is true.

    False where nothing is known about its objects.
    """
    if image is None:
        return False
    seen = {
        item.category
        for item in image.objects
        if (item.box.within(part) == item.box if item.crowd else is_seen(item.box, part))
    }
    return seen == {item.category for item in image.objects}


def _aspect(size: Size) -> float:
    return size[0] / size[1]


def _area(size: Size) -> float:
    return size[0] * size[1]


def _describe(image: str, item: Instruction, part: Box) -> str:
    """With the first place that is not seen, where it is one; original pixels."""
    hidden = [place for place in places_of(item) if not is_seen(place, part)]
    at, seen = (
        " ".join(",".join(f"{n:.4g}" for n in coords_of(place)) for place in places)
        for places in (hidden[:1], [part])
    )
    where = f" at {at}" if at else ""
    question, answer = (
        repr(text if len(text) <= MOST_SIGNS else f"{text[:MOST_SIGNS]}…")
        for text in (item.question, item.answer)
    )
    return f"{image}: {question} {answer}{where}; the model sees {seen}"
