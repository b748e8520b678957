"""Categories without any box: whether somebody looked for them is not known.

Files list roots that stand above all other categories, backgrounds, the data set's own name, and
classes that were never drawn. To call those absent would teach that no vehicle is there, beside a
car.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.columns import ColumnarImages

# As written with spaces for what is no letter or digit, in small letters.
DUMMIES = frozenset(
    (
        *("background", "bg", "none", "null", "nothing", "empty", "void", "negative", "all"),
        *("no object", "no objects", "object", "objects", "root", "n a", "na"),
        *("ignore", "ignored", "unlabeled", "unlabelled", "unannotated"),
    )
)
UNBOXED = "categories without a box in the whole set"
SHOWN = 5  # names in a remark
# Said by all commands that read annotations, so with the command that has the flag
WAY_OUT = "; build --unboxed asks about them too, and so does hal-coco with --option unboxed=true"


def tell_unboxed(data: AnnotationSet) -> AnnotationSet:
    """`data` with its `unboxed` and `dummies` categories, and a remark where there are any.

    Where `unboxed` is not known yet, those without an object are it.
    """
    unboxed = data.unboxed if data.unboxed is not None else _without_objects(data)
    own_names = {_plain(data.source.stem), _plain(data.source.resolve().parent.name)}
    dummies = [
        name
        for name in unboxed
        if name in data.dummies or _plain(name) in DUMMIES or _plain(name) in own_names
    ]
    remarks = data.remarks
    everything_known = all(image.absent is not None for image in _bare(data))
    if unboxed and not everything_known:
        names = ", ".join(unboxed[:SHOWN]) + ("…" if len(unboxed) > SHOWN else "")
        way_out = "" if len(dummies) == len(unboxed) else WAY_OUT
        remarks = (
            *remarks,
            f"{UNBOXED}, never called absent: {len(unboxed)} ({names}){way_out}",
        )
    return replace(data, unboxed=tuple(unboxed), dummies=tuple(dummies), remarks=remarks)


def _without_objects(data: AnnotationSet) -> tuple[str, ...]:
    if isinstance(data.images, ColumnarImages):
        columns = data.images.objects
        seen = {columns.names[number] for number in set(columns.categories.tolist())}
    else:
        seen = {item.category for image in data.images for item in image.objects}
    return tuple(name for name in data.categories if name not in seen)


def _bare(data: AnnotationSet) -> Sequence[AnnotatedImage]:
    return data.images.bare if isinstance(data.images, ColumnarImages) else data.images


def _plain(name: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in name.lower()).split())
