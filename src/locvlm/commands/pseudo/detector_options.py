"""What `pseudo detect` and `pseudo video` share: the detector's options, and the result."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from tyro.conf import arg

from locvlm.commands.arguments import EngineName, Number, OptionalFile, OptionalNumber
from locvlm.commands.next_step import format_command, print_next
from locvlm.errors import InputError
from locvlm.shown.terminal import say, say_json

if TYPE_CHECKING:
    from locvlm.pseudo.detect import DetectOptions
    from locvlm.pseudo.detection_file import DetectionSummary

COCO_PANOPTIC = "coco-panoptic"  # the class map that comes along
Share = Annotated[float, arg(metavar="SHARE")]


@dataclass(frozen=True)
class DetectorOptions:
    """The detector, what is made of what it sees, and where it runs.

    Args:
        detector: ssd, or a folder or hub id of transformers: closed sets (DETR, RT-DETR, YOLOS),
            open vocabularies (Grounding DINO, OWLv2), panoptic segmenters (Mask2Former, such as
            facebook/mask2former-swin-large-coco-panoptic), which alone know stuff such as sky.
        classes: what to look for, with commas between; all that the detector knows if not given.
        class_map: YAML file with the detector's names and yours, such as "car: vehicle"; what it
            does not name is left out. coco-panoptic: sky for sky-other-merged, and so on.
        threshold: score from which a box is kept; of a clip's boxes, in one frame at least.
        absent_below: score that no box of an absent category has, in any frame of a clip; what is
            in between is neither.
        overlap: IoU from which the less sure of two boxes of a category is left out.
        limit: pictures or clips, the first ones; all if not given.
        workers: processes that detect at the same time, each with a detector of its own.
        json: print what came of it as one JSON object.
    """

    detector: Annotated[str, arg(metavar="NAME|DIR")] = "ssd"
    classes: Annotated[str, arg(metavar="A,B,C")] = ""
    class_map: OptionalFile = None
    threshold: Share = 0.6
    absent_below: Share = 0.2
    overlap: Share = 0.6
    limit: OptionalNumber = None
    workers: Number = 1
    engine: EngineName = "local"
    json: bool = False

    def detect_options(self) -> DetectOptions:
        """The detector's part of them. Raises InputError for bad names or a bad class map."""
        from locvlm.pseudo.detect import DetectOptions

        return DetectOptions(
            detector=self.detector,
            threshold=self.threshold,
            absent_below=self.absent_below,
            overlap=self.overlap,
            categories=_parse_names(self.classes),
            names=_read_class_map(self.class_map) if self.class_map else {},
        )


def print_lack(found: DetectionSummary) -> None:
    """Say what the detector cannot tell."""
    if found.lacks:
        say(found.lacks, file=sys.stderr)


def print_result(
    found: DetectionSummary, media: Path, out: Path, counts: str, *more: str, json: bool
) -> None:
    """Print `counts`, what every detection has besides, and `more`; or all as one JSON object.

    `media` is the folder of the pictures or clips.
    """
    if json:
        record = {"out": str(out), **msgspec.to_builtins(found)}
        say_json(record)
        return
    say(f"{counts}, absences: {found.absences}, skipped: {len(found.skipped)}")
    if found.doubles:
        say(f"left out, boxes in the place of a surer one: {found.doubles}")
    say(*more, out)
    given = ["--annotations", out, "--images", media]
    print_next(format_command("build", *given, "--out", f"data/{out.stem}"))


def _parse_names(text: str) -> tuple[str, ...]:
    """Each name once. Raises InputError where there are signs and no name."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if text and not names:
        raise InputError(f"--classes {text!r}: no names; give some with commas between")
    return names


def _read_class_map(path: Path) -> dict[str, str]:
    """Raises InputError where the file has no names with names."""
    import yaml

    from locvlm.io.reading import name_of
    from locvlm.io.yaml_text import read_yaml
    from locvlm.pseudo import detectors

    if str(path) == COCO_PANOPTIC and not path.exists():
        path = Path(detectors.__file__).with_name("coco_panoptic.yaml")
    names = read_yaml(path, "YAML", yaml.SafeLoader)
    if not isinstance(names, dict) or not names:
        raise InputError(f"{path}: give a line per category, such as car: vehicle")
    for name, ours in names.items():
        if not isinstance(name, str) or not isinstance(ours, str) or not ours.strip():
            raise InputError(
                f"{path}: {name!r}: {ours!r} are not two names; write car: vehicle, in quotes "
                "where YAML takes a name for something else"
            )
    return {name: name_of(ours, f"{path}: {name}") for name, ours in names.items()}
