"""What a run learns from, written down by content, so that nobody is asked about it unawares.

images of the data sets ───────┐
                               ├─► out/learned_images.parquet ─► beside every model that it saves
those of what it starts from ──┘
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from locvlm.annotations.splits import list_held_out
from locvlm.instructions.dataset import images_folder, read_asked_objects, read_objects
from locvlm.media.fingerprints import Fingerprint, find_copies, read_fingerprints
from locvlm.models.learned_images import FILE, LearnedImages, learned_by
from locvlm.training.data.dataset import TrainingData
from locvlm.training.recipe import Recipe


def write_learned(out: Path, recipe: Recipe, data: TrainingData) -> list[str]:
    """Once for a run, before it learns: what it learns from, and what it starts from learned from.

    What cannot be read is not learned from either, and left out.

    Args:
        out: the run's folder.
        recipe: of the run, with the model that a user named.
        data: all that it may show.

    Returns:
        Sentences on images that one data set holds out and another one teaches under another name;
        none where they were told when the run began.
    """
    if (out / FILE).is_file():
        return []
    paths = list(data.sizes)
    found = read_fingerprints(Path(), [str(path) for path in paths])
    rows = [(path.name, each) for path, each in zip(paths, found, strict=True) if each]
    learned = LearnedImages.of(rows)
    for name in _starts(recipe):
        before = learned_by(name) if recipe.parts is None else None
        learned |= before if before is not None else LearnedImages(unknown=(Path(name).name,))
    learned.write(out)
    return tell_copies(recipe, dict(zip(paths, found, strict=True)))


def tell_copies(recipe: Recipe, learned: Mapping[Path, Fingerprint | None]) -> list[str]:
    """Of each data set: held-out images that others of the recipe teach, known by content.

    Within one data set, building it has told. Those of the same path are left out before.

    Args:
        recipe: of the run.
        learned: what it learns from.
    """
    told = []
    for folder, given in recipe.data_folders if len(recipe.data) > 1 else ():
        images, asked = images_folder(folder, given), read_asked_objects(folder)
        own = {images / image.file_name for image in asked.images}
        others = [(path, each) for path, each in learned.items() if path not in own]
        names = list_held_out(read_objects(folder), asked)
        prints = read_fingerprints(images, names)
        found = find_copies(prints, [each for _, each in others])
        copies = [(n, p) for n, p, how in zip(names, prints, found, strict=True) if how]
        if copies:
            equal = found.count("equal")
            taught = next(path for path, each in others if find_copies([copies[0][1]], [each])[0])
            told.append(
                f"{folder}: {len(copies)} of its {len(names)} held-out images are learned from "
                f"another data set (equal files: {equal}, nearly equal pixels: "
                f"{len(copies) - equal}), such as {copies[0][0]}, which is {taught}; scores on "
                "them tell what was seen: take them out of one"
            )
    return told


def _starts(recipe: Recipe) -> tuple[str, ...]:
    if recipe.parts is None:
        return (recipe.model,)
    return (recipe.parts.encoder, recipe.parts.language)
