"""`locvlm pseudo detect`: boxes for pictures without any."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from tyro.conf import arg

from locvlm.commands.arguments import File, Folder, Number, OptionalFile, OptionalNumber
from locvlm.commands.resuming import resumable
from locvlm.errors import InputError
from locvlm.io.reading import one_line

if TYPE_CHECKING:
    from locvlm.pseudo.detect import DetectOptions

Share = Annotated[float, arg(metavar="SHARE")]


@resumable()
def detect(
    *,
    images: Folder,
    out: File,
    detector: Annotated[str, arg(metavar="NAME|DIR")] = "ssd",
    classes: Annotated[str, arg(metavar="A,B,C")] = "",
    class_map: OptionalFile = None,
    threshold: Share = 0.6,
    absent_below: Share = 0.2,
    overlap: Share = 0.6,
    limit: OptionalNumber = None,
    workers: Number = 1,
    engine: Literal["local", "ray"] = "local",
    json: bool = False,
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
        absent_below: score that no box of an absent category has; what is in between is neither.
        overlap: IoU from which the less sure of two boxes of a category is left out.
        limit: pictures, the first ones; all if not given.
        workers: processes that detect at the same time, each with a detector of its own.
        engine: ray: on the machines of a Ray cluster, or in Ray's processes here.
        json: print what came of it as one JSON object.
    """
    from locvlm.pseudo.detect import detect as run

    if limit is not None and limit < 1:
        raise InputError(f"--limit must be at least 1 picture, not {limit}")
    settings = settings_of(detector, classes, class_map, threshold, absent_below, overlap)
    found = run(images, out, settings, limit=limit, workers=workers, engine=engine)
    for reason in found.skipped.values():
        print(f"skipped: {reason}", file=sys.stderr)
    if json:
        record = {"out": str(out), **msgspec.to_builtins(found)}
        print(msgspec.json.encode(record).decode())
        return
    print(
        f"{found.pictures} pictures; boxes: {found.boxes}, absences: {found.absences}, "
        f"skipped: {len(found.skipped)}"
    )
    if found.doubles:
        print(f"left out, boxes in the place of a surer one: {found.doubles}")
    print(out)


def settings_of(
    detector: str,
    classes: str,
    class_map: Path | None,
    threshold: float,
    absent_below: float,
    overlap: float,
) -> DetectOptions:
    """The options that all commands with a detector have. Raises InputError for a bad class map."""
    from locvlm.pseudo.detect import DetectOptions

    return DetectOptions(
        detector=detector,
        threshold=threshold,
        absent_below=absent_below,
        overlap=overlap,
        categories=_classes(classes),
        names=_names(class_map) if class_map else {},
    )


def _classes(text: str) -> tuple[str, ...]:
    """Each name once. Raises InputError where there are signs and no name."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if text and not names:
        raise InputError(f"--classes {text!r}: no names; give some with commas between")
    return names


def _names(path: Path) -> dict[str, str]:
    """Raises InputError where the file has no names with names."""
    import yaml

    from locvlm.io.reading import name_of, read_bytes

    try:
        names = yaml.safe_load(read_bytes(path))
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that is none
        raise InputError(f"{path}: not YAML: {one_line(str(error))}") from None
    if not isinstance(names, dict) or not names:
        raise InputError(f"{path}: give a line per category, such as car: vehicle")
    for name, ours in names.items():
        if not isinstance(name, str) or not isinstance(ours, str) or not ours.strip():
            raise InputError(
                f"{path}: {name!r}: {ours!r} are not two names; write car: vehicle, in quotes "
                "where YAML takes a name for something else"
            )
    return {name: name_of(ours, f"{path}: {name}") for name, ours in names.items()}
