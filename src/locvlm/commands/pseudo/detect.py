"""`locvlm pseudo detect`: boxes for pictures without any."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import arg

from locvlm.commands.arguments import File, Folder, Number, OptionalFile, OptionalNumber
from locvlm.errors import InputError

if TYPE_CHECKING:
    from locvlm.pseudo.detect import Settings

Share = Annotated[float, arg(metavar="SHARE")]


def detect(
    *,
    images: Folder,
    out: File,
    detector: Annotated[str, arg(metavar="NAME|DIR")] = "ssd",
    classes: Annotated[str, arg(metavar="A,B,C")] = "",
    class_map: OptionalFile = None,
    threshold: Share = 0.5,
    absent_below: Share = 0.1,
    overlap: Share = 0.6,
    limit: OptionalNumber = None,
    workers: Number = 1,
    engine: Literal["local", "ray"] = "local",
) -> None:
    """Let a detector draw the boxes of pictures, and say what is not in them.

    Goes on where it was stopped.

    Args:
        images: folder of pictures, and of folders with pictures.
        out: COCO file to write, with a score per box and what is absent, for `locvlm build`.
        detector: ssd, or a folder or hub id of transformers: closed sets (DETR, RT-DETR, YOLOS),
            open vocabularies (Grounding DINO, OWLv2), panoptic segmenters (Mask2Former).
        classes: what to look for, with commas between; all that the detector knows if not given.
        class_map: YAML file with the detector's names and yours, such as "car: vehicle"; what it
            does not name is left out.
        threshold: score from which a box is kept.
        absent_below: a category without a box of this score is absent; those in between are neither.
        overlap: IoU from which the less sure of two boxes of a category is left out.
        limit: pictures, the first ones; all if not given.
        workers: processes that detect at the same time, each with a detector of its own.
        engine: ray: on the machines of a Ray cluster, or in Ray's processes here.
    """
    from locvlm.pseudo.detect import detect as run

    if limit is not None and limit < 1:
        raise InputError(f"--limit must be at least 1 picture, not {limit}")
    settings = settings_of(detector, classes, class_map, threshold, absent_below, overlap)
    found = run(images, out, settings, limit=limit, workers=workers, engine=engine)
    for reason in found.skipped.values():
        print(f"skipped: {reason}", file=sys.stderr)
    print(f"{found.pictures} pictures; boxes: {found.boxes}, absences: {found.absences}")
    print(out)


def settings_of(
    detector: str,
    classes: str,
    class_map: Path | None,
    threshold: float,
    absent_below: float,
    overlap: float,
) -> Settings:
    """The options that all commands with a detector have. Raises InputError for a bad class map."""
    from locvlm.pseudo.detect import Settings

    return Settings(
        detector=detector,
        threshold=threshold,
        absent_below=absent_below,
        overlap=overlap,
        categories=tuple(name.strip() for name in classes.split(",") if name.strip()),
        names=_names(class_map) if class_map else {},
    )


def _names(path: Path) -> dict[str, str]:
    """Raises InputError where the file has no names with names."""
    import yaml

    from locvlm.annotations.files import read_bytes

    try:
        names = yaml.safe_load(read_bytes(path))
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(names, dict) or not all(
        isinstance(text, str) for pair in names.items() for text in pair
    ):
        raise InputError(f"{path}: give a line per category, such as car: vehicle")
    return names
