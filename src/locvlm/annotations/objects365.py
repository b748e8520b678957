"""Objects365 detection files (``zhiyuan_objv2_*.json``): COCO's form, 365 categories.

The file names start with folders (``images/v1/patch8/…``) that the archives of the pictures do not
have, so each is also looked for without them.
"""

from __future__ import annotations

from pathlib import Path

from locvlm.annotations import coco, coco_file
from locvlm.annotations.base import AnnotationSet
from locvlm.io.reading import decode_json


def read_objects365(
    path: str | Path, *, images: str | Path | None = None, captions: str | Path | None = None
) -> AnnotationSet:
    """All pictures of an Objects365 file; arguments, drops and errors as those of `read_coco`.

    Objects that are pictures or reflections of things (``isfake``, ``isreflected``) are kept.
    """
    path = Path(path)
    data = decode_json(
        path, coco_file.DetectionFile, "an Objects365 detection file (zhiyuan_objv2_*.json)"
    )
    file_names = {item.id: _file_names(item.file_name) for item in data.images}
    return coco.build_annotation_set(
        path, data, images=images, captions=captions, file_names=file_names
    )


def _file_names(name: str) -> tuple[str, ...]:
    """The name as declared, then with less and less of its folders."""
    parts = name.split("/")
    return tuple("/".join(parts[start:]) for start in range(len(parts)))
