"""What a run learned from, by content: data and models may be replaced under the same name.

Where they lie is nothing to it: a data set may be moved.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from locvlm.errors import InputError
from locvlm.instructions.absence_range import ABSENCES
from locvlm.instructions.dataset import Manifest, read_manifest
from locvlm.io.digests import digest_bytes
from locvlm.io.json_rows import write_json
from locvlm.io.own_files import read_own_json
from locvlm.models.digest import digest_model
from locvlm.training.recipe import Recipe

SOURCES = "sources.json"  # in `out`
# Of a manifest: the rows, and what further questions about parts of pictures are drawn by
_CONTENT = (
    *("data_sha256", "objects_sha256", "categories", "objectives", "location", "seed"),
    *("negatives", "min_area", "max_area", "edge", "spatial", "per_category", "template_texts"),
    *("ask_unboxed", "unboxed", "dummies"),
)


class DataRecord(msgspec.Struct, frozen=True):
    """A data set as it was read."""

    name: str  # as an error names it
    digest: str
    images: int
    questions: dict[str, int]  # by objective


class RunSources(msgspec.Struct, frozen=True):
    """The data sets of a run in the recipe's order, and digests of the models it starts from."""

    data: tuple[DataRecord, ...]
    models: dict[str, str]  # key of the recipe -> digest; those in folders alone


def read_sources(out: Path) -> RunSources | None:
    """What the run in `out` was begun with; None: nothing is known, as of an older version."""
    try:
        return read_own_json(out / SOURCES, RunSources, "the sources of a run")
    except InputError:
        return None


def record_sources(out: Path, recipe: Recipe) -> None:
    """Write down what a run is begun with."""
    data = tuple(map(_describe_data, recipe.data))
    write_json(out / SOURCES, RunSources(data, _digest_models(recipe)))


def find_source_changes(out: Path, recipe: Recipe) -> list[str]:
    """What has another content than when the run in `out` was begun, for people.

    Raises:
        InputError: data or a model of the recipe are not there.
    """
    before = read_sources(out)
    if before is None:
        return []
    return [*_data_changes(before, recipe), *_model_changes(before, recipe)]


def has_same_data(out: Path, recipe: Recipe) -> bool:
    """Whether the data sets are those of the run in `out`, wherever they lie now."""
    before = read_sources(out)
    try:
        now = [_describe_data(folder).digest for folder in recipe.data]
    except InputError:
        return False
    return before is not None and [one.digest for one in before.data] == now


def _data_changes(before: RunSources, recipe: Recipe) -> Iterator[str]:
    for old, folder in zip(before.data, recipe.data, strict=False):
        new = _describe_data(folder)
        if new.digest == old.digest:
            continue
        counts = {"images": (old.images, new.images)} | {
            name: (old.questions.get(name, 0), new.questions.get(name, 0))
            for name in old.questions | new.questions
        }
        told = [f"{name} {a} then, {b} now" for name, (a, b) in counts.items() if a != b]
        yield f"{folder} was built anew ({', '.join(told) or 'as many questions, but others'})"


def _model_changes(before: RunSources, recipe: Recipe) -> Iterator[str]:
    now = _digest_models(recipe)
    for key, digest in before.models.items():
        if now.get(key) != digest:
            yield f"{key}: its folder holds other weights or settings"


def _describe_data(folder: str) -> DataRecord:
    manifest = read_manifest(Path(folder))
    return DataRecord(folder, _digest_data(manifest), manifest.pictures, manifest.counts)


def _digest_data(manifest: Manifest) -> str:
    content = {name: getattr(manifest, name) for name in _CONTENT}
    if manifest.described_only:  # only then: runs that were begun before there was this stay theirs
        content["described_only"] = True
    if manifest.absences != ABSENCES:  # likewise
        content["absences"] = manifest.absences
    return digest_bytes(msgspec.json.encode(content, order="sorted"))


def _digest_models(recipe: Recipe) -> dict[str, str]:
    """Of those in folders of the user's; a name is that of the same files."""
    named = {"model": recipe.model}
    if recipe.parts is not None:
        named |= {"parts.encoder": recipe.parts.encoder, "parts.language": recipe.parts.language}
    folders = {key: name for key, name in named.items() if name and Path(name).is_dir()}
    try:
        return {key: digest_model(name) for key, name in folders.items()}
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be read ({error.strerror})") from None
