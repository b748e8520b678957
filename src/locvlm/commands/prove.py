"""`locvlm prove`: did the tuning help? A verdict in words, with its figures and a page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from locvlm.commands.arguments import (
    Boxes,
    Number,
    OptionalFile,
    OptionalFolder,
    OptionalName,
    OptionalNumber,
)
from locvlm.commands.figure_table import make_figure_table
from locvlm.commands.next_step import format_command, print_next
from locvlm.commands.resuming import resumable
from locvlm.errors import InputError
from locvlm.shown.terminal import say, say_json

if TYPE_CHECKING:
    from locvlm.evaluation.proof.structure import Figure, Proof
    from locvlm.shown.screen import Screen

MOST = 30  # rows of a table on the screen
Proven = Annotated[str, Positional, arg(metavar="NAME|DIR")]


@resumable("out")
def prove(
    base: Proven,
    tuned: Proven,
    /,
    *,
    annotations: OptionalFile = None,
    from_: Annotated[str | None, arg(name="from", metavar="NAME")] = None,
    boxes: Boxes = None,
    names: OptionalFile = None,
    split: Annotated[str | None, arg(metavar="NAME")] = None,
    images: OptionalFolder = None,
    out: OptionalFolder = None,
    tasks: OptionalName = None,
    limit: OptionalNumber = None,
    seed: Number = 0,
    json: bool = False,
) -> None:
    """Ask two models the same questions and say what the tuning changed, and how sure that is.

    With --out it goes on where it was stopped.

    Args:
        base: a shipped model or a folder of one, or the folder of finished runs of `locvlm eval`.
        tuned: likewise; it is held against the base.
        annotations: detection annotations of photos that neither model has learned from, or a data
            set of `locvlm build`, which tells --images.
        from_: their form; told from the file if not given.
        names: file of the words to ask with in place of the categories' names (see `locvlm build`);
            those that a data set was built with need none.
        split: train, val, test … where they have splits, or all; val if not given, else test, else
            all that there is.
        boxes: how that file writes boxes, where it is not what its form says (see `locvlm build`).
        images: folder of the photos; boxes in annotations are pixels of them.
        out: folder of the answers, proof.json and proof.html.
        tasks: such as locate,describe; all that the data allow if not given.
        limit: photos of each task; all if not given.
        seed: of the choice of questions and examples, and of the bootstrap.
        json: print proof.json instead of tables.
    """
    from locvlm.annotations.built import is_built
    from locvlm.annotations.wording import read_names
    from locvlm.distributed import current_process
    from locvlm.evaluation.outputs import claim_proof_folder
    from locvlm.evaluation.proof.prove import prove as run
    from locvlm.evaluation.questions.detections import complete_images
    from locvlm.evaluation.task import Sources

    if annotations is not None and images is None and not is_built(annotations):
        raise InputError("give the folder of the photos too, as --images")
    asked = None if tasks is None else [name.strip() for name in tasks.split(",") if name.strip()]
    paths = {} if annotations is None else {"annotations": annotations}
    sources = None
    if paths or images:
        words = None if names is None else read_names(names)
        sources = complete_images(Sources(paths, images, from_, None, boxes, split, words))
    if out is not None and current_process().rank == 0:
        claim_proof_folder(out, sources, base, tuned)
    proof = run(base, tuned, out, sources, tasks=asked, limit=limit, seed=seed)
    if current_process().rank:
        return
    if json:
        say_json(proof)
    else:
        show(proof)
        if out is not None:
            from locvlm.evaluation.proof.prove import PAGE

            say(out / PAGE)
        print_next(_name_next(proof, base, tuned, images, out))


def _name_next(proof: Proof, base: str, tuned: str, images: Path | None, out: Path | None) -> str:
    """The page of what was proven on the screen alone; else, the tuned model at work."""
    from locvlm.evaluation.proof.prove import find_runs

    if out is None:
        photos = ["--images", images] if images else []
        return format_command("prove", base, tuned, *photos, "--out", "proof")
    model = proof.tuned if find_runs(Path(tuned)) else tuned
    return format_command("locate", "PHOTO.jpg", "WHAT", "--model", model)


def show(proof: Proof) -> None:
    """Print the verdicts, the tables and the limits."""
    from locvlm.evaluation.proof import wording
    from locvlm.evaluation.proof.structure import LEAST
    from locvlm.shown.screen import Screen

    screen = Screen(highlight=False)
    screen.print(f"{proof.base} → {proof.tuned}\n")
    for task in proof.tasks:
        scores = task.scores[: task.headlines]
        _print_table(screen, task.title, scores, wording.format_score)
        for groups in task.tables:
            title = f"{task.title}: {groups.measure} by {groups.by}"
            shown = [row for row in groups.rows if row.images >= LEAST][:MOST]
            _print_table(screen, title, shown, str)
            if few := len(groups.rows) - len(shown):
                screen.print(f"{few} more, of fewer photos, in proof.html")
        screen.print(wording.describe_asked(task))
        screen.print(wording.describe_changes(task))
        for note in task.notes:
            screen.print(note)
    for name, why in proof.left_out.items():
        screen.print(f"not asked, {name}: {why}")
    screen.print()
    for verdict in proof.verdicts:
        screen.print(verdict.sentence, style={"better": "green", "worse": "red"}.get(verdict.word))
    screen.print()
    for note in proof.notes:
        screen.print(note)
    for limit in proof.limits:
        screen.print(limit, style="dim")


def _print_table(
    screen: Screen, title: str, figures: list[Figure], name_of: Callable[[str], str]
) -> None:
    from locvlm.evaluation.proof import wording

    if not figures:
        return
    heads = ("", "base → tuned", "difference", "95 % interval", "", "n", "photos")
    rows = [
        (
            name_of(figure.name),
            wording.format_change(figure),
            wording.format_difference(figure),
            wording.format_interval(figure),
            wording.format_sign(figure),
            str(figure.questions),
            str(figure.images),
        )
        for figure in figures
    ]
    screen.print(make_figure_table(screen, title, heads, rows, spare=("n", "photos")))
