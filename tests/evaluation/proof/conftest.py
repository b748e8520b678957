"""Two models on a small data set: one that knows half, one that knows all."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from tests.evaluation.conftest import Scripted, box_at, colour_of, script_models
from tests.evaluation.running import evaluate

PHOTOS = 7  # of which the colours are told apart


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def images(annotations: AnnotationSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("proof") / "images"
    folder.mkdir()
    for index, image in enumerate(annotations.images):
        Image.new("RGB", (400, 300), colour_of(index)).save(folder / image.file_name)
    return folder


@pytest.fixture(scope="session")
def models(annotations: AnnotationSet) -> Callable[[str, str], Scripted]:
    """Makes a base that finds and names little, and a tuned model that knows all."""
    scripted = script_models(annotations)

    def halves(question: str, ideal: str) -> str:
        if "What" in question or "dog" in question:
            return "A dog, perhaps."
        return ideal

    def make(role: str, task: str) -> Scripted:
        model = scripted(task, halves) if role == "base" else scripted(task)
        model.name = model.digest = role
        return model

    return make


@pytest.fixture(scope="session")
def finished(
    models: Callable[[str, str], Scripted], annotations: AnnotationSet, images: Path
) -> Path:
    """Runs of base and tuned model, made once."""
    folder = images.parent / "finished"
    for role in ("base", "tuned"):
        for task in ("locate", "hal-coco"):
            evaluate(models(role, task), task, annotations, images, folder / role / task)
    return folder


@pytest.fixture
def runs(finished: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The folder of runs of each: base, tuned; a copy, which a test may change."""
    base, tuned = (Path(shutil.copytree(finished / r, tmp_path / r)) for r in ("base", "tuned"))
    return base, tuned
