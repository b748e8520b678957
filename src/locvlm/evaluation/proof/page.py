"""``proof.html``: the proof as one page that can be mailed (see `locvlm.io.pages`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from locvlm.evaluation.proof import wording
from locvlm.evaluation.proof.structure import LEAST, Example, Proof, TaskProof
from locvlm.evaluation.reports.comparison import draw_answers, format_place
from locvlm.evaluation.reports.illustrations import MODEL_COLOURS
from locvlm.evaluation.task import Mark
from locvlm.io import pages

TEMPLATES = Path(__file__).parent / "templates"


def render_proof(
    proof: Proof, folder: Path | None, credits: Mapping[str, str] | None = None
) -> str:
    """The whole document.

    Args:
        proof: its figures.
        folder: of the photos or clips; None: none is shown.
        credits: file name of a photo -> who took it and under which license.
    """
    drawn = {
        (task.task, example.id): _draw(task, example, folder)
        for task in proof.tasks
        for example in task.examples
        if folder is not None
    }
    return pages.render_page(
        TEMPLATES,
        "proof.html.j2",
        title=f"{proof.base} → {proof.tuned}",
        proof=proof,
        wording=wording,
        drawn=drawn,
        place=format_place,
        least=LEAST,
        credits=credits or {},
    )


def _draw(task: TaskProof, example: Example, folder: Path) -> bytes | None:
    """Truth and both answers in the photo's own pixels; None: it can no longer be shown."""
    answers = [
        (found, name, colour)
        for found, name, colour in zip(
            example.found, ("base", "tuned"), MODEL_COLOURS, strict=False
        )
        if found is not None
    ]
    marks = [Mark(label, coords) for label, coords in example.truth]
    return draw_answers(
        folder, example.image, marks, answers, clip=task.clips, mirrored=example.mirrored
    )
