"""`locvlm tune` on the photos of `sample`: the main job from end to end.

It starts from the shipped stage 1, which describes photos and was never asked about places. Minutes
on 40 photos do not make a good model: what they show is the way, and an honest verdict.
"""

from __future__ import annotations

import json
from pathlib import Path

from locvlm.tuning.options import TuneOptions
from locvlm.tuning.state import read_minutes
from locvlm.tuning.tune import Tuned, tune

SAMPLE = Path(__file__).parent / "sample"
IMAGES = SAMPLE / "images"
START = "tiny-stage1"
MINUTES = 10.0  # unless told otherwise
SHARE = 0.3  # of the time that training takes, at most: few photos are soon learned by heart


def demo(out: Path, minutes: float | None = None) -> Tuned:
    """Run everything into the folder `out`; a run that was stopped goes on.

    Args:
        out: the folder, empty or of a demo that was stopped.
        minutes: that it may take, downloads aside; None: 10, or as the stopped demo was told.

    Raises:
        InputError: weights cannot be fetched, `minutes` is no such number, or `out` holds files of
            something else, or a demo of other minutes.
    """
    if minutes is None:
        minutes = read_minutes(out) or MINUTES
    options = TuneOptions(
        annotations=str(SAMPLE),
        images=str(IMAGES),
        model=START,
        minutes=minutes,
        share=SHARE,
    )
    # Who only wants to see it has no better number to give
    return tune(options, out, credits=photo_credits(), patient=True)


def photo_credits() -> dict[str, str]:
    """File name of each sample photo -> its license and where its author is named."""
    rows = json.loads((SAMPLE / "credits.json").read_text(encoding="utf-8"))
    return {row["file"]: f"{row['license']}, author at {row['page']}" for row in rows}
