"""By what an image is known again: the bytes of its file, and what it looks like.

The look is a perceptual hash (imagehash's `phash`) of 256 bits, of the image as displayed. Of 5,785
photos of COCO and VOC no two are within 61 bits, and those nearest show the same place; a copy that
was compressed again, resized, blurred, or made gray, brighter or darker by 30 % is within 32, one
that lost 2 % at each side mostly within 40. One that was mirrored or cropped further is not known.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from locvlm.errors import InputError
from locvlm.io.digests import digest_file
from locvlm.media.image_decoder import open_image_file
from locvlm.media.images import open_image
from locvlm.media.opening import is_clip_only
from locvlm.progress import track

if TYPE_CHECKING:
    from PIL import Image

SIDE = 16  # of the hash: 256 bits
NEAR = 40  # bits in which nearly equal images differ at most
_ENOUGH = 128  # pixels that a JPEG is decoded to at least
_PLAIN = 2.0  # gray levels (standard deviation) below which an image has no look of its own
_THREADS = min(8, os.cpu_count() or 1)
_ROWS, _COLUMNS = 64, 4096  # hashes that are compared at once ...
_AHEAD = 8 * _THREADS  # ... and so many such rows, so that memory stays small

Likeness: TypeAlias = Literal["", "near", "equal"]
Pairs: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int64]]  # two indices of each pair


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Of an image file, or of a clip."""

    digest: str  # SHA-256 of the file's bytes, in hexadecimal digits
    look: bytes = b""  # the perceptual hash; empty: of a clip, a plain surface, a damaged file


def read_fingerprint(path: Path) -> Fingerprint | None:
    """Of a file; None where it cannot be read at all."""
    try:
        digest = digest_file(path)
    except OSError:
        return None
    try:
        return Fingerprint(digest, b"" if is_clip_only(path) else _hash_look(path))
    except InputError:
        return Fingerprint(digest)


def read_fingerprints(folder: Path, names: Sequence[str]) -> list[Fingerprint | None]:
    """Of files in a folder, in the order of their names, by several threads; with a bar."""
    import imagehash  # noqa: F401  # here, not in several threads at once

    pool = ThreadPoolExecutor(_THREADS)
    try:
        found = pool.map(read_fingerprint, [folder / name for name in names])
        return [each for _, each in zip(track(names, "Looking at pictures"), found, strict=True)]
    finally:
        pool.shutdown(cancel_futures=True)


def find_copies(
    asked: Sequence[Fingerprint | None], known: Sequence[Fingerprint | None]
) -> list[Likeness]:
    """Whether each asked image is equal, or nearly equal, to any known one."""
    digests = {each.digest for each in known if each}
    found: list[Likeness] = ["equal" if each and each.digest in digests else "" for each in asked]
    places, looks = stack_looks(asked)
    for rows, _ in near_pairs(looks, stack_looks(known)[1]):
        for place in places[np.unique(rows)].tolist():
            found[place] = found[place] or "near"
    return found


def equal_pairs(prints: Sequence[Fingerprint | None]) -> Pairs:
    """The images whose files have the same bytes, each with the first that has them."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, each in enumerate(prints):
        if each:
            places[each.digest].append(place)
    pairs = [(first, place) for first, *others in places.values() for place in others]
    first, second = np.array(pairs, np.int64).reshape(-1, 2).T
    return first, second


def stack_looks(
    prints: Sequence[Fingerprint | None],
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """(N,) the places of those that have a look, and (N, 4) their hashes."""
    places = [place for place, each in enumerate(prints) if each and each.look]
    looks = b"".join(each.look for each in prints if each)
    return np.array(places, np.int64), np.frombuffer(looks, np.uint64).reshape(-1, SIDE**2 // 64)


def near_pairs(
    looks: NDArray[np.uint64], others: NDArray[np.uint64] | None = None, most: int = NEAR
) -> Iterator[Pairs]:
    """All pairs that differ in at most so many bits, some at a time; with a bar.

    Args:
        looks: (N, 4) hashes.
        others: (M, 4) hashes that they are compared with; None: with each other, each pair once.
        most: bits.
    """
    compare = partial(_compare_rows, looks, others, most)
    starts = range(0, len(looks), _ROWS)
    batches = [starts[k : k + _AHEAD] for k in range(0, len(starts), _AHEAD)]
    with ThreadPoolExecutor(_THREADS) as pool:
        for batch in track(batches, "Comparing pictures"):
            yield from (pairs for found in pool.map(compare, batch) for pairs in found)


def _compare_rows(
    looks: NDArray[np.uint64], others: NDArray[np.uint64] | None, most: int, row: int
) -> list[Pairs]:
    """The pairs of `_ROWS` hashes, from the one at `row` on, with all others."""
    against = looks if others is None else others
    found = list[Pairs]()
    for column in range(row if others is None else 0, len(against), _COLUMNS):
        here, there = looks[row : row + _ROWS], against[column : column + _COLUMNS]
        # Half of the bits leave next to nothing for the rest
        bits = _count_bits(here[:, None, 0] ^ there[:, 0])
        bits += _count_bits(here[:, None, 1] ^ there[:, 1])
        first, second = np.nonzero(bits <= most)
        if len(first):
            near = _count_bits(here[first] ^ there[second]).sum(axis=1) <= most
            a, b = first[near] + row, second[near] + column
            once = slice(None) if others is not None else a < b
            found.append((a[once], b[once]))
    return found


def count_differing(a: Fingerprint, b: Fingerprint) -> int:
    """In how many bits the looks of two images differ; all 256 where one has none."""
    if not a.look or not b.look:
        return SIDE**2
    return (int.from_bytes(a.look) ^ int.from_bytes(b.look)).bit_count()


def _hash_look(path: Path) -> bytes:
    """Raises InputError where the image cannot be decoded."""
    import imagehash
    from PIL import ImageStat

    gray = _read_gray(path)
    if ImageStat.Stat(gray).stddev[0] < _PLAIN:
        return b""
    return np.packbits(imagehash.phash(gray, hash_size=SIDE).hash).tobytes()


def _read_gray(path: Path) -> Image.Image:
    """As displayed; a JPEG smaller than it is, since only 64 × 64 pixels are needed."""
    from PIL import ImageOps

    with open_image_file(path) as image:
        if image.format == "JPEG":
            image.draft("L", (_ENOUGH, _ENOUGH))
            return ImageOps.exif_transpose(image).convert("L")
    return open_image(path).convert("L")


def _count_bits(words: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Of each word, those that are set."""
    if hasattr(np, "bitwise_count"):
        counted: NDArray[np.uint8] = np.bitwise_count(words)
        return counted
    octets = np.ascontiguousarray(words).view(np.uint8).reshape(*words.shape, 8)  # before NumPy 2
    return _BITS[octets].sum(axis=-1, dtype=np.uint8)


_BITS = np.array([number.bit_count() for number in range(256)], np.uint8)
