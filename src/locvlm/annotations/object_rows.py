"""Annotated pictures as Arrow columns and back: one row each, its objects nested.

    id, image, width, height, objects: [{category, x1, y1, x2, y2, crowd, descriptions}, …],
    captions, absent, not_exhaustive, split

Boxes are in original pixels. All that a reader found is there, pictures without an object or a
question included; `absent` is null where every category was looked for. `split` is empty where the
source has none, and is not there in data sets of older versions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from locvlm.annotations.base import AnnotatedImage
from locvlm.annotations.columns import ColumnarImages, ObjectColumns

AT_ONCE = 4096  # pictures
_TEXTS = pa.list_(pa.string())
_SIDES = ("x1", "y1", "x2", "y2")
_OBJECT = pa.struct(
    {
        "category": pa.string(),
        **dict.fromkeys(_SIDES, pa.float64()),
        "crowd": pa.bool_(),
        "descriptions": _TEXTS,
    }
)
SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "image": pa.string(),
        "width": pa.int64(),
        "height": pa.int64(),
        "objects": pa.list_(_OBJECT),
        "captions": _TEXTS,
        "absent": _TEXTS,
        "not_exhaustive": _TEXTS,
        "split": pa.string(),
    }
)


def encode_in_batches(
    images: Sequence[AnnotatedImage], categories: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """As `encode_images`, of so many at once that memory stays small."""
    for start in range(0, len(images), AT_ONCE):
        yield encode_images(images[start : start + AT_ONCE], categories)


def encode_images(images: Sequence[AnnotatedImage], categories: Sequence[str]) -> pa.RecordBatch:
    """Pictures as rows of `SCHEMA`."""
    table = ColumnarImages.of(images, categories)
    objects, bare = table.objects, table.bare
    names = pa.array(objects.names, pa.string()).take(pa.array(objects.categories))
    phrases = objects.descriptions or [()] * len(names)
    columns = [names, *map(pa.array, objects.boxes.T), pa.array(objects.crowds)]
    nested = pa.StructArray.from_arrays([*columns, pa.array(phrases, _TEXTS)], fields=list(_OBJECT))
    return pa.RecordBatch.from_arrays(
        [
            pa.array([str(image.id) for image in bare], pa.string()),
            pa.array([image.file_name for image in bare], pa.string()),
            pa.array([image.width for image in bare], pa.int64()),
            pa.array([image.height for image in bare], pa.int64()),
            pa.ListArray.from_arrays(_offsets(table.counts), nested),
            *(
                pa.array([getattr(image, name) for image in bare], _TEXTS)
                for name in ("captions", "absent", "not_exhaustive")
            ),
            pa.array([image.split for image in bare], pa.string()),
        ],
        schema=SCHEMA,
    )


def decode_images(table: pa.Table, categories: Sequence[str], split: str = "") -> ColumnarImages:
    """The pictures of a table of `SCHEMA`; their ids are texts, and objects have none.

    Args:
        table: all rows.
        categories: of the data set; objects may have others.
        split: of the images of a table without that column.
    """
    if "split" not in table.column_names:
        table = table.append_column("split", pa.array([split] * len(table), pa.string()))
    table = table.combine_chunks()
    columns = [table[name].to_pylist() for name in SCHEMA.names if name != "objects"]
    bare = [
        AnnotatedImage(
            number,
            name,
            width,
            height,
            captions=tuple(captions),
            absent=None if absent is None else tuple(absent),
            not_exhaustive=tuple(unsure),
            split=split,
        )
        for number, name, width, height, captions, absent, unsure, split in zip(
            *columns, strict=True
        )
    ]
    nested = pa.concat_arrays([chunk.flatten() for chunk in table["objects"].chunks] or [_NONE])
    counts = np.concatenate(
        [np.diff(chunk.offsets.to_numpy()) for chunk in table["objects"].chunks] or [[]]
    )
    starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)
    return ColumnarImages(bare, starts, _decode_objects(nested, categories))


def _decode_objects(nested: Any, categories: Sequence[str]) -> ObjectColumns:
    named = nested.field("category").dictionary_encode()
    index = {name: place for place, name in enumerate(categories)}
    codes = [index.setdefault(name, len(index)) for name in named.dictionary.to_pylist()]
    places: NDArray[np.int32] = np.array(codes, np.int32)
    phrases = [tuple(texts) for texts in nested.field("descriptions").to_pylist()]
    return ObjectColumns(
        boxes=np.stack([nested.field(side).to_numpy() for side in _SIDES], axis=1),
        categories=places[named.indices.to_numpy()] if len(named) else places[:0],
        crowds=nested.field("crowd").to_numpy(zero_copy_only=False),
        ids=range(len(nested)),
        names=tuple(index),
        descriptions=phrases if any(phrases) else None,
    )


_NONE = pa.array([], _OBJECT)


def _offsets(counts: NDArray[np.int64]) -> pa.Int32Array:
    return pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
