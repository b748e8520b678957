"""Objects365 detection files (``zhiyuan_objv2_*.json``): COCO's form, 365 categories.

The file names start with folders (``images/v1/patch8/…``) that the archives of the pictures do not
have, so each is also looked for without them.
"""

from __future__ import annotations

from pathlib import Path

from locvlm.annotations import coco, coco_file
from locvlm.annotations.base import AnnotationSet
from locvlm.annotations.coco_loose import decode_detections
from locvlm.annotations.drops import Drops
from locvlm.annotations.form_names import BoxForm


def read_objects365(
    path: str | Path,
    *,
    images: str | Path | None = None,
    captions: str | Path | None = None,
    boxes: BoxForm | None = None,
) -> AnnotationSet:
    """All pictures of an Objects365 file; arguments, drops and errors as those of `read_coco`.

    Objects that are pictures or reflections of things (``isfake``, ``isreflected``) are kept.
    """
    path = Path(path)
    drops = Drops()
    what = "an Objects365 detection file (zhiyuan_objv2_*.json)"
    data = decode_detections(path, coco_file.DetectionFile, what, drops)
    file_names = {item.id: _file_names(item.file_name) for item in data.images}
    return coco.build_annotation_set(
        path,
        data,
        images=images,
        captions=captions,
        boxes=boxes,
        file_names=file_names,
        drops=drops,
    )


def _file_names(name: str) -> tuple[str, ...]:
    """The name as declared, then with less and less of its folders."""
    parts = name.split("/")
    return tuple("/".join(parts[start:]) for start in range(len(parts)))
