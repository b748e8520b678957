"""Whether a file is whole, and the only one in it, where FFmpeg passes over that without a word."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_GIF_TRAILER = b";"  # the last byte
# How image files begin, and what is among their last bytes; nothing else in a JPEG's pixels is FFD9
_IMAGE_ENDS = {b"\xff\xd8": b"\xff\xd9", b"\x89PNG": b"IEND", b"GIF8": _GIF_TRAILER}
_TAIL = 64  # bytes: some writers leave zeros or a line end behind
_FLV_MARK, _FLV_HEADER, _FLV_TAG, _FLV_BACK = b"FLV\1", 9, 11, 4  # bytes (Adobe's FLV, annex E)
_BOX, _LARGE_BOX = 8, 16  # bytes of a head (ISO/IEC 14496-12, 4.2)
_TS_PACKETS = {0: 188, 4: 192}  # bytes, by the place of the first 0x47; M2TS has a time before it
# (ASF specification, 10.1)
_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_HEAD = 24  # bytes: a GUID and the size of what it names


def is_whole_gif(path: Path) -> bool:
    """Whether it has its last byte."""
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == _GIF_TRAILER


def has_image_end(path: Path) -> bool:
    """Whether an image file ends as its kind does; False where its kind has no such mark."""
    with path.open("rb") as file:
        head = file.read(12)
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL))
        tail = file.read()
    if head[:4] == b"RIFF":  # WebP says how long it is
        return size >= int.from_bytes(head[4:8], "little") + 8
    return any(head.startswith(start) and end in tail for start, end in _IMAGE_ENDS.items())


def is_whole_flv(path: Path) -> bool:
    """Whether its tags follow each other up to its end, each with its size behind it."""
    place = _end_of_flv(path)
    return place == path.stat().st_size or _is_at(path, place, _FLV_MARK)


def is_whole_ts(path: Path) -> bool:
    """Whether it ends with a whole packet; True where its packets have no usual size."""
    with path.open("rb") as file:
        head = file.read(5)
    size = _TS_PACKETS.get(head.find(b"\x47"))
    return size is None or path.stat().st_size % size == 0


def has_another_behind(path: Path, container: str) -> bool:
    """Whether another file follows in it that FFmpeg does not read, as after ``cat a.mp4 b.mp4``.

    `container`: FFmpeg's name of the format.
    """
    if container.startswith("mov"):
        boxes = list(read_boxes(path))
        # With fragments FFmpeg reads on
        return b"moof" not in boxes and max(boxes.count(b"ftyp"), boxes.count(b"moov")) > 1
    if container == "asf":
        return list(_read_asf_objects(path)).count(_ASF_HEADER) > 1
    return container == "flv" and _is_at(path, _end_of_flv(path), _FLV_MARK)


def read_boxes(path: Path) -> Iterator[bytes]:
    """The kinds of the whole outermost boxes of an MP4 or MOV file, in their order."""
    end, place = path.stat().st_size, 0
    with path.open("rb") as file:
        while place + _BOX <= end:
            file.seek(place)
            head = file.read(_LARGE_BOX)
            size = int.from_bytes(head[:4], "big") or end - place  # 0: up to the end
            if size == 1:
                size = int.from_bytes(head[8:], "big")
            if size < _BOX or place + size > end:
                return
            yield head[4:8]
            place += size


def _read_asf_objects(path: Path) -> Iterator[bytes]:
    """The GUIDs of the outermost objects."""
    end, place = path.stat().st_size, 0
    with path.open("rb") as file:
        while place + _ASF_HEAD <= end:
            file.seek(place)
            head = file.read(_ASF_HEAD)
            yield head[:16]
            size = int.from_bytes(head[16:], "little")
            if size < _ASF_HEAD:
                return
            place += size


def _end_of_flv(path: Path) -> int:
    """The first byte that is not of a tag which has its size behind it."""
    end = path.stat().st_size
    with path.open("rb") as file:
        place = int.from_bytes(file.read(_FLV_HEADER)[5:], "big") + _FLV_BACK
        while place + _FLV_TAG <= end:
            file.seek(place)
            if file.read(len(_FLV_MARK)) == _FLV_MARK:
                return place
            file.seek(place + 1)
            size = _FLV_TAG + int.from_bytes(file.read(3), "big")
            file.seek(place + size)
            if int.from_bytes(file.read(_FLV_BACK), "big") not in (size, size - _FLV_TAG, 0):
                return place  # some writers leave the tag's head out of the size, or all of it
            place += size + _FLV_BACK
    return place


def _is_at(path: Path, place: int, mark: bytes) -> bool:
    with path.open("rb") as file:
        file.seek(place)
        return file.read(len(mark)) == mark
