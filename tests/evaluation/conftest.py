"""A small detection data set with its pictures, and models that are scripted, not mocked."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PIL import Image

from locvlm import coordinates
from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.geometry import Box, Frame, Size
from locvlm.instructions.render import render
from locvlm.media.clips import Clip
from locvlm.media.opening import View
from tests.evaluation.running import questions_of

CATEGORIES = ("person", "dog", "hot dog", "cat", "cup", "clock", "kite", "sofa")
Colour = tuple[int, int, int]


class Scripted:
    """Answers by a function of (question, ideal answer); tells pictures by their colour.

    A clip is told by the colour of its first frame.
    """

    name = "scripted"
    digest = "scripted"
    at_once = 32
    decoding = {"method": "scripted"}  # noqa: RUF012

    def __init__(self, answers: dict[Colour, dict[str, str]], script: Callable[[str, str], str]):
        self.frames: int | None = None
        self.coordinates = coordinates.get("ivb", bins=224)
        self.answers = answers
        self.script = script
        self.calls: list[int] = []  # pictures or clips of each call
        self.asked: list[list[str]] = []  # questions of each picture

    def frame(self, size: Size) -> Frame:
        return Frame.pad_to_square(size, 224)

    def answer_all(self, asked: list[tuple[View, list[str]]]) -> list[list[str]]:
        self.calls.append(len(asked))
        return [self._answers(view, questions) for view, questions in asked]

    def choose_all(
        self, asked: list[tuple[View, list[str]]], choices: list[Sequence[str]]
    ) -> list[list[str]]:
        answers = self.answer_all(asked)
        flat = [answer for group in answers for answer in group]
        assert all(said in texts for said, texts in zip(flat, choices, strict=True))
        return answers

    def _answers(self, view: View, questions: list[str]) -> list[str]:
        self.asked.append(questions)
        if isinstance(view, Clip):
            assert len(view.frames) == self.frames
        image = view.frames[0] if isinstance(view, Clip) else view
        known = self.answers[image.getpixel((0, 0))]
        return [self.script(question, known[question]) for question in questions]


def box_at(x: float, y: float, side: float = 40) -> Box:
    """A square box about a center."""
    return Box(x - side / 2, y - side / 2, x + side / 2, y + side / 2)


@pytest.fixture
def annotations() -> AnnotationSet:
    """Three pictures of 400 x 300, 300 x 400 and 400 x 300 pixels; the last has one object."""
    first = (
        Object("dog", box_at(60, 50)),
        Object("cat", box_at(80, 250)),
        Object("cup", box_at(350, 40, 20)),
        Object("clock", box_at(200, 150, 100)),
    )
    second = (
        Object("person", box_at(40, 60)),
        Object("hot dog", box_at(260, 70)),
        Object("kite", box_at(250, 350)),
        Object("dog", box_at(150, 200)),
        Object("dog", box_at(100, 200)),
        Object("sofa", Box(0, 300, 300, 400), crowd=True),
    )
    third = (Object("cat", box_at(200, 150)),)
    return AnnotationSet(
        images=(
            AnnotatedImage(1, "1.png", 400, 300, first),
            AnnotatedImage(2, "two/2.png", 300, 400, second),
            AnnotatedImage(3, "3.png", 400, 300, third),
        ),
        categories=CATEGORIES,
        source=Path("small.json"),
    )


def colour_of(index: int) -> Colour:
    return (200, 220, 40 * index)


@pytest.fixture
def images(annotations: AnnotationSet, tmp_path: Path) -> Path:
    """The folder of the pictures, each of one colour."""
    folder = tmp_path / "images"
    for index, image in enumerate(annotations.images):
        path = folder / image.file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (image.width, image.height), colour_of(index)).save(path)
    return folder


@pytest.fixture
def scripted(annotations: AnnotationSet) -> Callable[..., Scripted]:
    """As `script_models`."""
    return script_models(annotations)


def script_models(annotations: AnnotationSet) -> Callable[..., Scripted]:
    """Makes a model for a task; without a script it is an oracle, with the ideal answers."""

    def make(
        task: str, script: Callable[[str, str], str] = lambda question, ideal: ideal
    ) -> Scripted:
        model = Scripted({}, script)
        colours = {im.file_name: colour_of(i) for i, im in enumerate(annotations.images)}
        for question in questions_of(task, annotations, several="any"):
            asked = render(question.instruction, model.coordinates, model.frame(question.size))
            model.answers.setdefault(colours[question.image], {})[asked[0]] = asked[1]
        return model

    return make
