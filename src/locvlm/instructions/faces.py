"""Human faces are blurred before training, as in arXiv 2404.07449.

The pictures go as copies into another folder, with ``faces.jsonl`` beside it, by which a stopped
run goes on: one line per picture with the state of the original and the boxes that were blurred.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from PIL import Image

from locvlm.errors import InputError
from locvlm.geometry import Box
from locvlm.instructions.dataset import FACES_LOG
from locvlm.instructions.face_detector import check_opencv, find_faces
from locvlm.media.image_decoder import open_image_file
from locvlm.media.images import open_image
from locvlm.parallel.engines import map_in_order
from locvlm.progress import track

QUALITY = 95  # of the JPEG copies
CELLS = 5  # what a face is reduced to: so many colors a side, whatever its size
MARGIN = 0.2  # share of a face's size that is blurred around it
AT_ONCE = 16  # pictures per batch

_ORIENTATION = 0x0112


class BlurredCopy(msgspec.Struct, frozen=True):
    """A picture whose copy is done."""

    image: str  # file name, relative to both folders
    bytes: int  # of the original
    changed_ns: int  # when the original was changed
    faces: list[tuple[float, float, float, float]]  # xyxy, pixels of the picture as displayed


@dataclass(frozen=True)
class _CopyBatch:
    names: Sequence[str]
    images: Path
    out: Path


def blur_faces(
    names: Sequence[str], images: Path, out: Path, *, workers: int = 1
) -> tuple[int, int]:
    """Copy pictures from `images` to `out`, their faces blurred; the log is beside `out`.

    A picture without faces is copied as it is, unless its EXIF orientation has to be applied.

    Args:
        names: file names, relative to `images`.
        images: folder of the originals, which are only read.
        out: folder of the copies; those that are there already are kept.
        workers: processes at the same time.

    Returns:
        How many pictures have faces, and how many faces there are.

    Raises:
        InputError: a picture cannot be read, or its copy would lie outside `out` or on it.
    """
    check_opencv()
    for name in names:
        target = (out / name).resolve()
        if not target.is_relative_to(out.resolve()) or target == (images / name).resolve():
            raise InputError(f"{images / name}: its copy {target} would not be a copy in {out}")
    out.mkdir(parents=True, exist_ok=True)
    log = out.parent / FACES_LOG
    done = {item.image: item for item in _read_log(log) if _is_current(item, images, out)}
    left = [name for name in dict.fromkeys(names) if name not in done]
    batches = [_CopyBatch(left[i : i + AT_ONCE], images, out) for i in range(0, len(left), AT_ONCE)]
    shown = track(batches, "Blurring faces")
    with log.open("a", encoding="utf-8") as file:
        file.write("\n")  # ends a line that was cut off
        for copied in map_in_order(_copy_batch, shown, workers=workers):
            for item in copied:
                done[item.image] = item
                file.write(json.dumps(msgspec.to_builtins(item)) + "\n")
            file.flush()
    counts = [len(done[name].faces) for name in dict.fromkeys(names)]
    return sum(map(bool, counts)), sum(counts)


def blur(image: Image.Image, faces: Sequence[Box]) -> Image.Image:
    """A copy in which each box (pixels, with `MARGIN`) keeps but `CELLS` × `CELLS` colors."""
    image = image.copy()
    for face in faces:
        x, y = MARGIN * face.width, MARGIN * face.height
        grown = Box(face.x1 - x, face.y1 - y, face.x2 + x, face.y2 + y).clip(*image.size)
        area = (int(grown.x1), int(grown.y1), int(-(-grown.x2 // 1)), int(-(-grown.y2 // 1)))
        if area[2] > area[0] and area[3] > area[1]:
            part = image.crop(area)
            cells = part.resize((CELLS, CELLS), Image.Resampling.BOX)
            image.paste(cells.resize(part.size, Image.Resampling.BILINEAR), area[:2])
    return image


def _copy_batch(batch: _CopyBatch) -> list[BlurredCopy]:
    return [_copy(batch.images / name, batch.out / name, name) for name in batch.names]


def _copy(source: Path, target: Path, name: str) -> BlurredCopy:
    image = open_image(source)
    faces = find_faces(image)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    with open_image_file(source) as file:
        kind, turned = file.format, file.getexif().get(_ORIENTATION, 1) != 1
    if not faces and not turned:
        shutil.copyfile(source, part)
    elif kind == "JPEG":
        blur(image, faces).save(part, "JPEG", quality=QUALITY)
    else:
        blur(image, faces).save(part, "PNG")  # under the old name; readers look inside
    os.replace(part, target)
    state = source.stat()
    boxes = [(face.x1, face.y1, face.x2, face.y2) for face in faces]
    return BlurredCopy(name, state.st_size, state.st_mtime_ns, boxes)


def _read_log(log: Path) -> Iterator[BlurredCopy]:
    """The lines of an earlier run; the last may be cut off."""
    if not log.exists():
        return
    for line in log.read_bytes().splitlines():
        try:
            yield msgspec.json.decode(line, type=BlurredCopy)
        except msgspec.DecodeError:
            continue  # an empty line, or one cut off, whose picture is done again


def _is_current(item: BlurredCopy, images: Path, out: Path) -> bool:
    """Whether the copy is there, of the original as it is now."""
    source = images / item.image
    if not source.is_file() or not (out / item.image).is_file():
        return False
    state = source.stat()
    return (state.st_size, state.st_mtime_ns) == (item.bytes, item.changed_ns)
