"""Clips out of annotated photos: a camera that moves, or a thing that does, and known boxes.

Photos with boxes are many, clips with boxes few. Here a photo becomes a clip: the camera drifts,
pans or zooms, and something out of another photo may move through the picture. Where everything is
in every frame is known, so what holds still has the mean of its boxes, by the rule for real clips
(`video.static`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.errors import InputError
from locvlm.geometry import Box, Size, coords_of
from locvlm.io.atomic import ensure_dir
from locvlm.io.outputs import Reads, claim_output_folder
from locvlm.io.reading import decode_json
from locvlm.media.clip_writing import write_clip
from locvlm.media.clips import FRAMES
from locvlm.media.containers import check_pyav
from locvlm.media.images import open_image
from locvlm.parallel.engines import Engine
from locvlm.parallel.parts import remove_parts, run_in_parts
from locvlm.pseudo import coco_file
from locvlm.pseudo.camera import MOVES, camera_windows, window_frame
from locvlm.pseudo.clip_objects import ClipRow, make_clip_row, thing_categories
from locvlm.pseudo.detection_file import parts_folder

BATCH_SIZE = 4  # clips
FRAMES = 2 * FRAMES  # frames of a clip; every other one is among those that a model reads
THING_AREA = (0.02, 0.5)  # share of its photo that a thing may take up
THING_HEIGHT = (0.2, 0.45)  # of a thing, as a share of the frame's


class AnimateOptions(msgspec.Struct, frozen=True):
    """How clips are made."""

    side: int = 320  # pixels of the longer side, at most
    seen: int = 224  # pixels a side of what the model sees
    seed: int = 0


class Scene(msgspec.Struct, frozen=True):
    """A photo, and another one with a thing for it."""

    photo: AnnotatedImage
    lender: AnnotatedImage | None
    thing: int  # place of the thing in ``lender.objects``


@dataclass
class AnimationSummary:
    """What came of it."""

    clips: int = 0
    boxes: int = 0
    moves: dict[str, int] = field(default_factory=dict)  # move of the camera -> clips
    skipped: dict[str, str] = field(default_factory=dict)  # photo -> why


def animate(
    data: AnnotationSet,
    images: Path,
    out: Path,
    settings: AnimateOptions,
    *,
    engine: Engine = "local",
    workers: int = 1,
) -> AnimationSummary:
    """Write a clip per photo into ``out/clips``, and their boxes as ``out/instances.json``.

    A stopped run goes on. A photo that cannot be read is skipped and listed.

    Args:
        data: a detection data set.
        images: folder of its photos.
        out: folder to write.
        settings: sizes and seed.
        engine: where the clips are made (see `run_in_parts`); all machines must share `out`.
        workers: how many make them.

    Raises:
        InputError: a size makes no sense, `out` holds finished clips or other unfinished ones, or
            no photo can be read.
    """
    if settings.side < 2 or settings.seen < 1:
        raise InputError(f"--side {settings.side} and --seen {settings.seen}: give pixels, above 1")
    check_pyav()
    file = out / "instances.json"
    provenance = {
        "by": "pseudo animate", "of": data.source.name, **msgspec.to_builtins(settings)
    }  # fmt: skip
    claim_output_folder(
        out, "pseudo animate", Reads([data.source, images]), is_older=_holds_animation
    )
    if file.exists() and not _is_animation_of(file, data, provenance):
        raise InputError(f"{file}: is there already, and so are its clips; name another --out")
    rows = run_in_parts(
        partial(_make_clips, images, ensure_dir(out) / "clips", settings, data.categories),
        list(_scenes(data, settings.seed)),
        parts_folder(file),
        provenance,
        kind=ClipRow,
        doing="Animating photos",
        batch_size=BATCH_SIZE,
        engine=engine,
        workers=workers,
        gpu=False,
    )
    result, clips, annotations = _collect(data, rows)
    if not clips:
        remove_parts(parts_folder(file))
        raise InputError(f"{images}: no photo can be read; {next(iter(result.skipped.values()))}")
    provenance |= {"skipped": result.skipped}
    coco_file.write_coco(file, data.categories, clips, annotations, provenance)
    remove_parts(parts_folder(file))
    return result


def _collect(
    data: AnnotationSet, rows: Iterator[ClipRow]
) -> tuple[AnimationSummary, list[coco_file.CocoImage], list[coco_file.CocoAnnotation]]:
    number_of = {name: number for number, name in enumerate(data.categories, 1)}
    result = AnimationSummary()
    images: list[coco_file.CocoImage] = []
    annotations: list[coco_file.CocoAnnotation] = []
    for photo, row in zip(data.images, rows, strict=True):
        if row.error:
            result.skipped[photo.file_name] = row.error
            continue
        result.moves[row.move] = result.moves.get(row.move, 0) + 1
        images.append(_coco_image(photo, row, number_of))
        annotations += _coco_annotations(photo.id, row, number_of)
    result.clips, result.boxes = len(images), len(annotations)
    return result, images, annotations


def _holds_animation(out: Path) -> bool:
    """Of older versions, which left no mark."""
    return (out / "instances.json").exists() or parts_folder(out / "instances.json").exists()


def _is_animation_of(file: Path, data: AnnotationSet, provenance: dict[str, Any]) -> bool:
    """Whether a finished file is of the same photos and settings: it comes out the same again."""
    found = decode_json(file, dict[str, Any], "a COCO file")
    made = dict(found.get("info", {}).get("pseudo", {}))
    skipped = made.pop("skipped", {})
    names = {image["file_name"] for image in found.get("images", ())}
    photos = {clip_name(photo) for photo in data.images if photo.file_name not in skipped}
    return made == provenance and names == photos


def clip_name(photo: AnnotatedImage) -> str:
    """Of the clip of a photo, relative to the folder of clips."""
    return f"{photo.file_name}.mp4"  # the whole name: a.jpg and a.png are two photos


def _scenes(data: AnnotationSet, seed: int) -> Iterator[Scene]:
    """Up to half of the photos get a thing, one that is surely not in them already."""
    lenders = [
        (photo, place)
        for photo in data.images
        for place, item in enumerate(photo.objects)
        if not item.crowd
        and THING_AREA[0] <= item.box.area / (photo.width * photo.height) <= THING_AREA[1]
    ]
    sought = data.sought()
    for photo in data.images:
        rng = random.Random(f"{seed}/scene/{photo.id}")
        lender, place = rng.choice(lenders) if lenders else (photo, 0)
        absent = photo.absent_of(sought)
        if rng.random() < 0.5 and lenders and lender.objects[place].category in absent:
            yield Scene(photo, lender, place)
        else:
            yield Scene(photo, None, 0)


def _make_clips(
    images: Path,
    clips: Path,
    settings: AnimateOptions,
    categories: Sequence[str],
    scenes: Sequence[Scene],
) -> list[ClipRow]:
    return [_make_clip(images, clips, settings, categories, scene) for scene in scenes]


def _make_clip(
    images: Path, clips: Path, settings: AnimateOptions, categories: Sequence[str], scene: Scene
) -> ClipRow:
    """Write the clip of a scene."""
    photo = scene.photo
    rng = random.Random(f"{settings.seed}/{photo.id}")
    try:
        image = open_image(images / photo.file_name, (photo.width, photo.height))
    except InputError as error:
        return ClipRow(error=str(error))
    thing, moving = _borrow_thing(images, scene)
    size = _clip_size(image.size, settings.side)
    # what moves is easier to see where the camera does not
    move = rng.choice(list(MOVES) if thing is None else ["still", "drift"])
    parts = camera_windows(move, image.size, FRAMES, rng)
    views = [window_frame(part, image.size, size) for part in parts]
    frames = [image.resize(size, Image.Resampling.BICUBIC, tuple(part.tolist())) for part in parts]
    path = None if thing is None else _thing_path(thing.size, size, rng)
    if thing is not None and path is not None:
        for frame, box in zip(frames, path, strict=True):
            width, height = (round(side) for side in box[2:] - box[:2])
            frame.paste(thing.resize((width, height)), (round(box[0]), round(box[1])))
    target = clips / clip_name(photo)
    write_clip(ensure_dir(target.parent) / target.name, frames)
    return make_clip_row(photo, views, path, moving, size, settings.seen, categories, move)


def _borrow_thing(images: Path, scene: Scene) -> tuple[Image.Image | None, list[str]]:
    """The thing of a scene and the categories that it may be of.

    None where there is none, or its photo cannot be read: that is no fault of the scene's own.
    """
    if (lender := scene.lender) is None:
        return None, []
    try:
        image = open_image(images / lender.file_name, (lender.width, lender.height))
    except InputError:
        return None, []
    item = lender.objects[scene.thing]
    left, top, right, bottom = (round(value) for value in coords_of(item.box))
    return image.crop((left, top, right, bottom)), thing_categories(lender, item)


def _clip_size(size: Size, side: int) -> Size:
    """At most `side` pixels a side, of much the same shape; clips want even numbers."""
    scale = min(1.0, side / max(size))
    width, height = (max(2, 2 * round(value * scale / 2)) for value in size)
    return width, height


def _thing_path(thing: Size, size: Size, rng: random.Random) -> NDArray[np.float64]:
    """(FRAMES, 4) xyxy of a thing that goes straight through the frame, from edge to edge."""
    height = rng.uniform(*THING_HEIGHT) * size[1]
    sides = np.array((min(height * thing[0] / thing[1], 0.6 * size[0]), height)).clip(2)
    across = rng.random() < 0.5
    room = np.array(size) - sides
    start, end = (np.array((rng.random(), rng.random())) for _ in range(2))
    start[0 if across else 1], end[0 if across else 1] = rng.choice(((0.0, 1.0), (1.0, 0.0)))
    corner = (start + (end - start) * np.linspace(0, 1, FRAMES)[:, None]) * room
    return np.concatenate([corner, corner + sides], axis=1)


def _coco_image(
    photo: AnnotatedImage, shot: ClipRow, number_of: dict[str, int]
) -> coco_file.CocoImage:
    return coco_file.CocoImage(
        id=photo.id,
        file_name=clip_name(photo),
        width=shot.size[0],
        height=shot.size[1],
        coco_url=photo.url or None,
        license=photo.license or None,
        neg_category_ids=[number_of[name] for name in shot.absent],
        not_exhaustive_category_ids=[number_of[name] for name in shot.unsure],
    )


def _coco_annotations(
    id: int | str, shot: ClipRow, number_of: dict[str, int]
) -> Iterator[coco_file.CocoAnnotation]:
    for (x1, y1, x2, y2), label in zip(shot.boxes, shot.labels, strict=True):
        box = Box(x1, y1, x2, y2)
        yield coco_file.CocoAnnotation(
            image_id=id,
            category_id=number_of[label],
            bbox=coco_file.to_xywh(box),
            area=box.area,
            iscrowd=0,
        )
