"""What an answer about a location earns, by what is annotated: rewards that can be verified.

    text ─coordinates.parse, in the model's frame─► a box in original pixels ─► iou with the truth
         ─► exactly one box, or the sentence that there is none ─► format
         ─► there, or not there ─► absence

Pure functions of a text and its truth; each is between 0 and 1, and None where it does not apply.
The objectives are those of arXiv 2404.07449, the use of such rewards is that of GRPO
(arXiv 2402.03300).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from locvlm.coordinates import CoordinateFormat
from locvlm.coordinates.answers import find_answer
from locvlm.geometry import Box, Frame, Size, coords_of
from locvlm.geometry import iou as ious
from locvlm.instructions.objectives import negpred


@dataclass(frozen=True, slots=True)
class Truth:
    """What is right about one question."""

    box: Box | None  # original pixels, mirrored if the picture is; None: it is not there
    absent: str  # the sentence that says so
    frame: Frame | Size  # of the model: where the coordinates of its answer are


Reward = Callable[[str, Truth, CoordinateFormat], float | None]


def iou(text: str, truth: Truth, coordinates: CoordinateFormat) -> float | None:
    """Of the first box in `text` with the true one, as evaluation has it; no box earns nothing.

    None if the thing is not there: there is nothing to overlap with.
    """
    if truth.box is None:
        return None
    places = coordinates.parse(find_answer(text), truth.frame)
    box = next((place for place in places if isinstance(place, Box)), None)
    return 0.0 if box is None else float(ious(coords_of(box), coords_of(truth.box))[0, 0])


def well_formed(text: str, truth: Truth, coordinates: CoordinateFormat) -> float:
    """1 for exactly one box, within the picture, of what is there; for the sentence otherwise."""
    text = find_answer(text)
    if truth.box is None:
        return float(_strip_period(text) == _strip_period(truth.absent))
    report = coordinates.parse_report(text, truth.frame)
    one = [type(place) for place in report.locations] == [Box]
    broken = report.n_malformed or report.n_clipped or negpred.says_absent(text)
    return float(one and not broken)


def presence(text: str, truth: Truth, coordinates: CoordinateFormat) -> float:
    """1 if `text` is right about whether it is there; one that says both or neither is wrong."""
    text = find_answer(text)
    located = bool(coordinates.parse(text, truth.frame))
    absent = negpred.says_absent(text) or _strip_period(text) == _strip_period(truth.absent)
    return float(located != absent and absent == (truth.box is None))


# By the names that recipes weight them with
REWARDS: dict[str, Reward] = {"iou": iou, "format": well_formed, "absence": presence}


def _strip_period(text: str) -> str:
    return text.strip().rstrip(".")
