from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from locvlm.geometry import Box, Point
from locvlm.instructions.base import Conversation, Instruction
from locvlm.instructions.dataset import Manifest
from locvlm.instructions.dataset_writer import write_dataset

Make = Callable[[list[Conversation]], Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes a data set of conversations, with all their pictures as PNG files."""
    return partial(_make, tmp_path)


def _make(folder: Path, conversations: list[Conversation]) -> Path:
    images = folder / "images"
    for item in conversations:
        path = images / item.image
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (item.width, item.height), "grey").save(path)
    manifest = Manifest(
        annotations="/data/instances.json",
        annotations_sha256="0" * 64,
        images=str(images),
        categories=("dog",),
        objectives=("locpred",),
        pictures=len(conversations),
        counts={},
        drops={},
    )
    write_dataset(folder / "data", conversations, manifest=manifest)
    return folder / "data"


DOG = Instruction("locpred", "Where, as {repr}?", "At {loc}", (Box(10, 120, 30, 145),))
POINT = Instruction("revloc", "What is at {loc}?", "A dog.", (Point(20, 132.5),), "point")
NONE = Instruction("negpred", "Where is the cat?", "Nowhere")
TWO = [
    Conversation("a.png", 512, 512, (DOG, POINT, NONE)),
    Conversation("deep/b.png", 64, 32, (NONE,)),
]


@pytest.fixture
def data(make: Make) -> Path:
    """Two pictures, four questions."""
    return make(TWO)
