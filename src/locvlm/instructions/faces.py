"""Human faces are blurred before training, as in arXiv 2404.07449.

Pictures and clips go as copies into another folder, with ``faces.jsonl`` beside it, by which a
stopped run goes on: one line per file with the state of the original and what was blurred.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from PIL import Image

from locvlm.errors import InputError
from locvlm.geometry import Box
from locvlm.instructions.clip_faces import copy_clip, is_moving
from locvlm.instructions.dataset import FACES_LOG
from locvlm.instructions.face_detector import check_opencv, find_faces
from locvlm.io.atomic import part_path
from locvlm.io.own_files import decode_own
from locvlm.media.clips import is_clip
from locvlm.media.image_decoder import open_image_file
from locvlm.media.images import open_image
from locvlm.parallel.engines import map_in_order
from locvlm.progress import track

QUALITY = 95  # of the JPEG copies
CELLS = 5  # what a face is reduced to: so many colors a side, whatever its size
MARGIN = 0.2  # share of a face's size that is blurred around it
AT_ONCE = 16  # pictures per batch

_ORIENTATION = 0x0112


class BlurredCopy(msgspec.Struct, frozen=True, omit_defaults=True):
    """A picture or clip whose copy is done."""

    image: str  # file name, relative to both folders
    bytes: int  # of the original
    changed_ns: int  # when the original was changed
    faces: list[tuple[float, float, float, float]]  # xyxy, pixels of the picture as displayed
    frames: int = 0  # of a clip, whose `faces` are none; 0: a picture
    frames_with_faces: int = 0
    clip_faces: int = 0  # over all frames
    cut: bool = False  # the original is damaged or ends early; the copy has what there is
    more: bool = False  # another clip follows in the original, which is not copied


@dataclass(frozen=True)
class BlurSummary:
    """What was blurred."""

    pictures_with_faces: int
    faces_blurred: int  # in them
    clips: int
    clips_with_faces: int
    clip_faces_blurred: int  # in them, counted in each frame
    cut: tuple[str, ...]  # clips that are damaged or end early
    more: tuple[str, ...]  # files that hold a second clip, which is not copied

    @property
    def fields(self) -> dict[str, Any]:
        """Those of a data set's manifest; those of clips where there are some."""
        of_clips = ("clips_with_faces", "clip_faces_blurred") if self.clips else ()
        names = ("pictures_with_faces", "faces_blurred", *of_clips)
        return {name: getattr(self, name) for name in names}

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a person should know beside the numbers, and the copies no longer tell."""
        found = []
        if self.cut:
            found.append(
                f"damaged clips, or without their end: {len(self.cut)}, such as {self.cut[0]}; "
                "their blurred copies have what there is"
            )
        if self.more:
            found.append(
                f"clips that another follows in the same file: {len(self.more)}, such as "
                f"{self.more[0]}; it is not copied; split the file"
            )
        return tuple(found)


@dataclass(frozen=True)
class _CopyBatch:
    names: Sequence[str]
    images: Path
    out: Path


def blur_faces(names: Sequence[str], images: Path, out: Path, *, workers: int = 1) -> BlurSummary:
    """Copy pictures and clips from `images` to `out`, faces blurred; the log is beside `out`.

    A picture without faces is copied as it is, unless its EXIF orientation has to be applied. For
    clips see `clip_faces.copy_clip`; what moves, the content of a file says.

    Args:
        names: file names, relative to `images`.
        images: folder of the originals, which are only read.
        out: folder of the copies; those that are there already are kept.
        workers: processes at the same time.

    Returns:
        How many have faces, and how many faces there are.

    Raises:
        InputError: a picture or clip cannot be read, or its copy would lie outside `out` or on it.
    """
    check_opencv()
    for name in names:
        target = (out / name).resolve()
        if not target.is_relative_to(out.resolve()) or target == (images / name).resolve():
            raise InputError(f"{images / name}: its copy {target} would not be a copy in {out}")
    log = out.parent / FACES_LOG
    if out.exists() and not log.exists():
        raise InputError(f"{out}: is a folder of others, where the copies would go; move it away")
    out.mkdir(parents=True, exist_ok=True)
    done = {item.image: item for item in _read_log(log) if _is_current(item, images, out)}
    left = [name for name in dict.fromkeys(names) if name not in done]
    batches = [_CopyBatch(part, images, out) for part in _batches(left)]
    shown = track(batches, "Blurring faces")
    with log.open("a", encoding="utf-8") as file:
        file.write("\n")  # ends a line that was cut off
        for copied in map_in_order(_copy_batch, shown, workers=workers):
            for item in copied:
                done[item.image] = item
                file.write(json.dumps(msgspec.to_builtins(item)) + "\n")
            file.flush()
    return _sum([done[name] for name in dict.fromkeys(names)])


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


def _batches(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Those that a stop may lose: some images, or one clip, which takes longer."""
    yield from ([name] for name in names if is_clip(name))
    images = [name for name in names if not is_clip(name)]
    yield from (images[start : start + AT_ONCE] for start in range(0, len(images), AT_ONCE))


def _sum(copies: Sequence[BlurredCopy]) -> BlurSummary:
    return BlurSummary(
        pictures_with_faces=sum(bool(item.faces) for item in copies),
        faces_blurred=sum(len(item.faces) for item in copies),
        clips=sum(bool(item.frames) for item in copies),
        clips_with_faces=sum(bool(item.clip_faces) for item in copies),
        clip_faces_blurred=sum(item.clip_faces for item in copies),
        cut=tuple(item.image for item in copies if item.cut),
        more=tuple(item.image for item in copies if item.more),
    )


def _copy_batch(batch: _CopyBatch) -> list[BlurredCopy]:
    return [_copy(batch.images / name, batch.out / name, name) for name in batch.names]


def _copy(source: Path, target: Path, name: str) -> BlurredCopy:
    target.parent.mkdir(parents=True, exist_ok=True)
    if is_moving(source):
        return _copy_clip(source, target, name)
    image = open_image(source)
    faces = find_faces(image)
    part = part_path(target)
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


def _copy_clip(source: Path, target: Path, name: str) -> BlurredCopy:
    count = copy_clip(source, target, find_faces, blur)
    state = source.stat()
    return BlurredCopy(
        name,
        state.st_size,
        state.st_mtime_ns,
        [],
        frames=count.frames,
        frames_with_faces=count.with_faces,
        clip_faces=count.faces,
        cut=count.cut,
        more=count.more,
    )


def _read_log(log: Path) -> Iterator[BlurredCopy]:
    """The lines of an earlier run; the last may be cut off."""
    if not log.exists():
        return
    for line in log.read_bytes().splitlines():
        try:
            yield decode_own(line, BlurredCopy, str(log), "a blurred copy")
        except InputError:
            continue  # an empty line, or one cut off, whose picture is done again


def _is_current(item: BlurredCopy, images: Path, out: Path) -> bool:
    """Whether the copy is there, of the original as it is now."""
    source = images / item.image
    if not source.is_file() or not (out / item.image).is_file():
        return False
    state = source.stat()
    if (state.st_size, state.st_mtime_ns) != (item.bytes, item.changed_ns):
        return False
    return item.frames > 0 or not is_moving(source)  # an older version blurred no clips
