"""The questions about a data set's pictures, as rows: made in batches, written as they come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.drops import list_reasons
from locvlm.errors import InputError
from locvlm.instructions.build import (
    QuestionOptions,
    QuestionPlan,
    ask_about_batch,
    limit_plan,
    lowest_ranks,
    make_plan,
)
from locvlm.instructions.dataset_writer import DatasetWriter
from locvlm.instructions.tally import Tallies, add_tallies, tally_batch
from locvlm.parallel.engines import Engine, map_in_order
from locvlm.progress import track
from locvlm.runtime.garbage_collection import pause_collection

if TYPE_CHECKING:
    import pyarrow as pa

AT_ONCE = 2000  # pictures per batch


@dataclass(frozen=True)
class Rows:
    """What came of a batch, ready to be written."""

    rows: pa.RecordBatch
    counts: Counter[str]
    drops: Counter[str]
    tallies: Tallies = field(default_factory=dict)


@dataclass
class RowWriter:
    """Writes rows as they come, and sums up what is in them."""

    dataset: DatasetWriter
    images: list[str] = field(default_factory=list)  # file names, one per row
    counts: Counter[str] = field(default_factory=Counter)
    drops: Counter[str] = field(default_factory=Counter)
    tallies: Tallies = field(default_factory=dict)

    def add(self, batch: Rows) -> None:
        self.dataset.write(batch.rows)
        self.images += batch.rows.column("image").to_pylist()
        self.counts.update(batch.counts)
        self.drops.update(batch.drops)
        add_tallies(self.tallies, batch.tallies)


def write_questions(
    writer: RowWriter, data: AnnotationSet, options: QuestionOptions, engine: Engine, workers: int
) -> None:
    """The questions about all pictures, as they come.

    Args:
        writer: of the data set.
        data: the pictures that are asked about.
        options: what is asked; engine and workers change nothing about it.
        engine: where the work is done.
        workers: how many do it.

    Raises:
        InputError: no question came out.
    """
    names = options.objectives
    writer.counts.update(dict.fromkeys(names, 0))
    writer.drops.update(data.drops)
    with pause_collection():
        for batch in make_rows(data, options, engine, workers):
            writer.add(batch)
    if not writer.images:
        raise InputError(
            f"{data.source}: gives no instruction for {', '.join(names)}; "
            f"{list_reasons(+writer.drops, data)}use annotations with objects or other objectives"
        )


def make_rows(
    data: AnnotationSet, options: QuestionOptions, engine: Engine, workers: int
) -> Iterator[Rows]:
    """The rows of all pictures, in order: planned once, then made by the engine."""
    plan = make_plan(data, options)
    if options.per_category is not None:
        batches = _batches(data.images, "Balancing")
        ranks = map_in_order(partial(lowest_ranks, plan), batches, engine=engine, workers=workers)
        plan = limit_plan(plan, ranks)
    batches = _batches(data.images, "Building")
    return map_in_order(partial(_make_batch, plan), batches, engine=engine, workers=workers)


def _batches(images: Sequence[AnnotatedImage], doing: str) -> Iterator[Sequence[AnnotatedImage]]:
    for start in track(range(0, len(images), AT_ONCE), doing):
        yield images[start : start + AT_ONCE]


@pause_collection()
def _make_batch(plan: QuestionPlan, images: Sequence[AnnotatedImage]) -> Rows:
    from locvlm.instructions.arrow import encode_batch

    result = ask_about_batch(plan, images)
    tallies = tally_batch(result.batch, plan.context, result.asked, result.groups)
    return Rows(encode_batch(result, plan.source), result.counts, result.drops, tallies)
