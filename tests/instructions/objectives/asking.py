"""Images and questions that the tests of the objectives share."""

import random

from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.geometry import Box
from locvlm.instructions import objectives
from locvlm.instructions.base import Instruction
from locvlm.instructions.objectives import LocationChoice, QuestionContext

CATEGORIES = ("person", "dog", "cat", "chair", "cup", "book", "kite", "bus", "tv", "bed", "car")
ASKED = {  # of a dog, in the words of arXiv 2404.07449
    "Where is the object described dog located in image in terms of {repr}?",
    "What is the location of object described dog in terms of {repr}?",
    "Localize the object described dog in terms of {repr}?",
    "Provide a {repr} for the the object described dog?",
    "Generate a {repr} for the the object described dog?",
}


def thing(category: str, x: float, y: float, side: float = 10, crowd: bool = False) -> Object:
    return Object(category, Box(x, y, x + side, y + side), crowd)


def image(*objects: Object, captions: tuple[str, ...] = ()) -> AnnotatedImage:
    return AnnotatedImage(1, "a.jpg", 100, 100, objects, captions)


def ask(
    name: str, picture: AnnotatedImage, kind: LocationChoice = "box", seed: int = 0
) -> list[Instruction]:
    return objectives.get(name).ask(picture, QuestionContext(CATEGORIES, kind), random.Random(seed))


def questions(name: str, picture: AnnotatedImage) -> set[str]:
    """All questions of many seeds."""
    return {item.question for seed in range(60) for item in ask(name, picture, seed=seed)}


DOG = thing("dog", 10, 20)
FULL = image(
    DOG,
    thing("cat", 60, 20),
    thing("person", 0, 0),
    thing("person", 80, 80),
    thing("chair", 30, 60, crowd=True),
)
