"""A detection data set as a COCO file again, with what a model said of its objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from locvlm.annotations.base import AnnotationSet
from locvlm.pseudo import coco_file


def write_descriptions(
    out: Path,
    data: AnnotationSet,
    descriptions: Sequence[Mapping[int, str]],
    provenance: Mapping[str, Any],
) -> None:
    """Write the file `out`.

    Args:
        out: the file; another is replaced.
        data: a detection data set.
        descriptions: of each picture, place in its ``objects`` -> what was said.
        provenance: how it was made.
    """
    number_of = {name: number for number, name in enumerate(data.categories, 1)}
    annotations = [
        coco_file.CocoAnnotation(
            image_id=image.id,
            category_id=number_of[item.category],
            bbox=coco_file.to_xywh(item.box),
            area=item.box.area,
            iscrowd=int(item.crowd),
            description=[*item.descriptions, *([texts[place]] if place in texts else [])],
        )
        for image, texts in zip(data.images, descriptions, strict=True)
        for place, item in enumerate(image.objects)
    ]
    coco_file.write_coco(out, data.categories, _images(data, number_of), annotations, provenance)


def _images(data: AnnotationSet, number_of: Mapping[str, int]) -> list[coco_file.CocoImage]:
    """With what is absent, where in any of them that is not simply what has no box."""
    has_absent = any(image.absent is not None or image.not_exhaustive for image in data.images)
    sought = data.sought()
    return [
        coco_file.CocoImage(
            id=image.id,
            file_name=image.file_name,
            width=image.width,
            height=image.height,
            coco_url=image.url or None,
            license=image.license or None,
            neg_category_ids=[number_of[name] for name in image.absent_of(sought)]
            if has_absent
            else None,
            not_exhaustive_category_ids=[number_of[name] for name in image.not_exhaustive],
        )
        for image in data.images
    ]
