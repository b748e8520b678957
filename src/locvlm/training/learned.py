"""What a run learns from, written down by content, so that nobody is asked about it unawares.

images of the data sets ───────┐
                               ├─► out/learned_images.parquet ─► beside every model that it saves
those of what it starts from ──┘
"""

from __future__ import annotations

from pathlib import Path

from locvlm.media.fingerprints import read_fingerprints
from locvlm.models.learned_images import FILE, LearnedImages, learned_by
from locvlm.training.data.dataset import TrainingData
from locvlm.training.recipe import Recipe


def write_learned(out: Path, recipe: Recipe, data: TrainingData) -> None:
    """Once for a run, before it learns: what it learns from, and what it starts from learned from.

    What cannot be read is not learned from either, and left out.

    Args:
        out: the run's folder.
        recipe: of the run, with the model that a user named.
        data: all that it may show.
    """
    if (out / FILE).is_file():
        return
    paths = list(data.sizes)
    found = read_fingerprints(Path(), [str(path) for path in paths])
    rows = [(path.name, each) for path, each in zip(paths, found, strict=True) if each]
    learned = LearnedImages.of(rows)
    for name in _starts(recipe):
        before = learned_by(name) if recipe.parts is None else None
        learned |= before if before is not None else LearnedImages(unknown=(Path(name).name,))
    learned.write(out)


def _starts(recipe: Recipe) -> tuple[str, ...]:
    if recipe.parts is None:
        return (recipe.model,)
    return (recipe.parts.encoder, recipe.parts.language)
