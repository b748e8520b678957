"""Two models on a small data set: one that knows half, one that knows all."""

from pathlib import Path

import pytest
from PIL import Image

from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from tests.evaluation.conftest import box_at, colour_of
from tests.evaluation.running import evaluate

PHOTOS = 7  # of which the colours are told apart


@pytest.fixture
def annotations() -> AnnotationSet:
    """Seven pictures of 400 x 300 pixels, with a dog and a cup each; some have more."""
    images = []
    for i in range(PHOTOS):
        objects = [Object("dog", box_at(60 + i, 50)), Object("cup", box_at(300, 200, 150))]
        if i % 3 == 0:
            objects.append(Object("cat", box_at(80, 250)))
        if i == 3:
            objects += [Object("clock", box_at(30, 150)), Object("clock", box_at(120, 150))]
        if i in (1, 2):
            objects.append(Object(("kite", "clock")[i - 1], box_at(350, 50)))
        images.append(AnnotatedImage(i + 1, f"{i + 1}.png", 400, 300, tuple(objects)))
    return AnnotationSet(tuple(images), ("dog", "cup", "cat", "kite", "clock"), Path("small.json"))


@pytest.fixture
def images(annotations: AnnotationSet, tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for index, image in enumerate(annotations.images):
        Image.new("RGB", (400, 300), colour_of(index)).save(folder / image.file_name)
    return folder


@pytest.fixture
def models(scripted):
    """Makes a base that finds and names little, and a tuned model that knows all."""

    def halves(question: str, ideal: str) -> str:
        if "What" in question or "dog" in question:
            return "A dog, perhaps."
        return ideal

    def make(role: str, task: str):
        model = scripted(task, halves) if role == "base" else scripted(task)
        model.name = model.digest = role
        return model

    return make


@pytest.fixture
def runs(models, annotations, images, tmp_path):
    """The folder of runs of each: base, tuned."""
    for role in ("base", "tuned"):
        for task in ("locate", "hal-coco"):
            evaluate(models(role, task), task, annotations, images, tmp_path / role / task)
    return tmp_path / "base", tmp_path / "tuned"
