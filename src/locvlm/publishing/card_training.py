"""What a model card tells about the run that trained a model."""

from __future__ import annotations

from pathlib import Path

from locvlm.publishing.provenance import RunRecord
from locvlm.shown.markdown import escape_markdown, format_rows, mark_code


def describe_training(run: RunRecord) -> str:
    """Its stages and its data sets, as tables of Markdown."""
    recipe = run.recipe
    read_out = any(stage.readout for stage in run.stages.values())
    rows = [
        (
            escape_markdown(name),
            escape_markdown(stage.trains),
            f"{stage.steps}" if stage.epochs is None else f"{stage.epochs:g} epochs",
            f"{stage.images}",
            f"{stage.learning_rate:g}",
            escape_markdown(
                ", ".join(f"{most} {name}" for name, most in run.questions_of(stage).items())
            ),
            f"{stage.guidance:g}",
            *([f"{stage.readout:g}"] if read_out else []),
        )
        for name, stage in run.stages.items()
    ]
    heads = ["stage", "trains", "steps", "pictures a step", "rate", "questions", "guidance"]
    heads += ["readout"] if read_out else []
    parts = recipe.parts
    origins = [recipe.model] if parts is None else [parts.encoder, parts.language]
    start = " and ".join(mark_code(_display_name(origin)) for origin in origins)
    flips = ", half of the visits mirrored" if recipe.flip else ""
    return (
        f"By `locvlm train`, from {start}, seed {recipe.seed}{flips}; the "
        "method is that of arXiv 2404.07449. Questions: at most so many per visit of a picture."
        f"\n\n{format_rows(heads, rows)}\n\n{_data(run)}"
    )


def _display_name(model: str) -> str:
    """A name or an id on the hub as it is; of a path the last name, with that of its run."""
    path = Path(model)
    if not path.is_absolute():
        return model
    return f"{path.parent.name}/{path.name}" if path.name == "model" else path.name


def _data(run: RunRecord) -> str:
    """The data sets, with the questions that a stage has asked."""
    rows, asked = [], {name for stage in run.stages.values() for name in stage.questions}
    for item in run.data:
        counts = {name: n for name, n in (item.questions or {}).items() if n and name in asked}
        asked_here = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        questions = escape_markdown(asked_here) or "–"
        title = escape_markdown(item.name)
        if item.manifest is None:
            rows.append((title, "its manifest was not found", "–", "–", "–", questions))
            continue
        manifest = item.manifest
        rows.append(
            (
                title,
                escape_markdown(f"{Path(manifest.annotations).name} ({manifest.reader})"),
                escape_markdown(manifest.annotations_sha256[:12]),
                f"{manifest.pictures:,}",
                f"{len(manifest.categories):,}",
                questions,
            )
        )
    heads = ("data set", "annotations", "sha256", "pictures", "categories", "questions asked")
    return format_rows(heads, rows)
