"""Frames of one recording, told by the names of their files.

A camera numbers its photos as a recording its frames, so a number alone says nothing: COCO's
000000000139.jpg and IMG_0001.jpg belong to no recording. Names are taken for frames of recordings
where three stems or more have numbers behind them, and either the stems say so (clip, frame, cam …)
or images with neighbouring numbers look more alike than others of their stem do.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from locvlm.errors import InputError
from locvlm.media.fingerprints import Fingerprint, count_differing

FEWEST = 3  # recordings of a guess, and frames of a recording in it
_ALIKE = 0.75  # how far neighbours differ, beside others of their stem
_COMPARED = 500  # pairs
_WORDS = frozenset(
    {
        *("frame", "frames", "frm", "clip", "clips", "video", "videos", "vid", "seq", "sequence"),
        *("scene", "shot", "take", "movie", "recording", "rec", "cam", "camera", "episode", "mp4"),
        *("avi", "mov", "mkv", "webm"),
    }
)
# What a place is called that all kinds of images lie in
_PLACES = frozenset(
    {
        *("train", "training", "val", "valid", "validation", "dev", "test", "testing", "images"),
        *("image", "img", "imgs", "jpegimages", "photos", "pictures", "data", "obj_train_data"),
    }
)
_COPY = re.compile(r"(.+)\.rf\.[0-9A-Za-z]{8,}\.\w+$")  # Roboflow's NAME.rf.HASH.jpg
_KIND = re.compile(r"[_.-](jpe?g|png|bmp|webp|tiff?)$", re.IGNORECASE)  # that Roboflow leaves there
_NUMBER = re.compile(r"(.*?)(\d+)(\D*)$", re.DOTALL)


@dataclass(frozen=True)
class Recordings:
    """Which images are frames of one recording."""

    names: tuple[str, ...]  # (N,) of each image's recording; empty: of none
    remark: str = ""  # what was guessed, in words
    only: str = ""  # why nothing can be held out, where there are too few recordings


def read_recordings(files: Sequence[str], pattern: str) -> Recordings:
    """By a pattern: its first group, or all that it matches, is the recording's name.

    Raises:
        InputError: it is no regular expression, or no name matches it.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InputError(f"--group-by {pattern!r}: no regular expression ({error})") from None
    found = [compiled.search(name) for name in files]
    names = tuple(
        (match[1] if compiled.groups else match[0]) or "" if match else "" for match in found
    )
    if not any(names):
        raise InputError(
            f"--group-by {pattern!r}: matches no file name, such as {files[0]}; the first group of "
            "it, or all that it matches, is the recording's name"
        )
    counts = Counter(filter(None, names))
    others = sum(not name for name in names)
    rest = f"; pictures that match no recording: {others}" if others else ""
    remark = f"--group-by {pattern}: {_say_counts(counts, len(names) - others)}{rest}"
    return Recordings(names, remark, _say_too_few(counts, len(files), files[0]))


def guess_recordings(
    files: Sequence[str],
    prints: Sequence[Fingerprint | None],
    categories: Collection[str] = (),
) -> Recordings:
    """By the names of the files, and by what neighbours look like.

    Args:
        files: (N,) names, relative to their folder.
        prints: (N,) what the images look like, where it is known.
        categories: of the data set; a stem that is called like one is no recording.
    """
    stems, numbers = _split_names(files)
    members: dict[str, list[int]] = {}
    for place, stem in enumerate(stems):
        if numbers[place] is not None:
            members.setdefault(stem, []).append(place)
    known = {_plain(name) for name in categories}
    fixed = _common_parts(files)
    named = {
        stem: sorted(places, key=lambda place: (numbers[place], files[place]))
        for stem, places in members.items()
        if len(places) > 1 and not known.intersection(map(_plain, stem.split("/")))
    }
    said = {stem: places for stem, places in named.items() if _says_so(stem, fixed)}
    if _is_enough(said):
        return _as_recordings(said, files)
    steady = {
        stem: places
        for stem, places in named.items()
        if len(places) >= FEWEST and _is_steady([numbers[place] or 0 for place in places])
    }
    if _is_enough(steady) and _look_alike(steady, prints):
        return _as_recordings(steady, files)
    framed = {stem: places for stem, places in said.items() if _is_numbered_frames(stem)}
    covered = sum(map(len, framed.values()))
    only = _say_too_few(Counter({k: len(v) for k, v in framed.items()}), len(files), files[0])
    return Recordings(("",) * len(files), "", only if covered > 0.8 * len(files) else "")


def source_names(files: Sequence[str]) -> list[str]:
    """Of Roboflow's copies the image that they were made of; empty for other files."""
    found = (_COPY.match(name.rpartition("/")[2]) for name in files)
    return [match[1] if match else "" for match in found]


def _split_names(files: Sequence[str]) -> tuple[list[str], list[int | None]]:
    """Of each name what stands around its last number, and that number."""
    stems, numbers = [], list[int | None]()
    for name in files:
        folder, _, last = name.rpartition("/")
        copy = _COPY.match(last)
        stem = copy[1] if copy else last.rpartition(".")[0] or last
        match = _NUMBER.match(_KIND.sub("", stem))
        parts = [part for part in folder.split("/") if part and part.lower() not in _PLACES]
        stems.append("/".join([*parts, f"{match[1]}#{match[3]}" if match else stem]))
        numbers.append(int(match[2][-18:]) if match else None)
    return stems, numbers


def _common_parts(files: Sequence[str]) -> set[str]:
    """The folders that all images lie in."""
    return set.intersection(*(set(name.split("/")[:-1]) for name in files)) if files else set()


def _says_so(stem: str, fixed: Collection[str]) -> bool:
    parts = "/".join(part for part in stem.split("/") if part not in fixed)
    return not _WORDS.isdisjoint(re.findall("mp4|[a-z]+", parts.lower()))


def _is_numbered_frames(stem: str) -> bool:
    """Whether the number counts frames, not clips."""
    return re.search(r"(frame|frames|frm)[^a-z]*#", stem.lower()) is not None


def _is_steady(numbers: Sequence[int]) -> bool:
    """Whether most numbers are as far from the next as most others are."""
    steps = Counter(b - a for a, b in pairwise(numbers))
    return max(steps.values()) * 2 >= steps.total()


def _is_enough(stems: Mapping[str, Sequence[int]]) -> bool:
    return sum(len(places) >= FEWEST for places in stems.values()) >= FEWEST


def _look_alike(stems: Mapping[str, Sequence[int]], prints: Sequence[Fingerprint | None]) -> bool:
    """Whether neighbours differ less than images of the same stem that are half of it apart."""
    near, far = list[int](), list[int]()
    for places in stems.values():
        half = len(places) // 2
        for k, place in enumerate(places):
            neighbour, other = places[k - 1], places[k - half]
            here, beside, away = prints[place], prints[neighbour], prints[other]
            if k and half > 1 and here and beside and away:
                near.append(count_differing(here, beside))
                far.append(count_differing(here, away))
        if len(near) >= _COMPARED:
            break
    return len(near) > FEWEST and float(np.median(near)) <= _ALIKE * float(np.median(far))


def _as_recordings(stems: Mapping[str, Sequence[int]], files: Sequence[str]) -> Recordings:
    names = [""] * len(files)
    for stem, places in stems.items():
        for place in places:
            names[place] = stem
    counts = Counter({stem: len(places) for stem, places in stems.items()})
    example = files[next(iter(stems.values()))[0]]
    said = _say_counts(counts, counts.total())
    remark = f"by their names, such as {example}: {said}; else give --group-by"
    return Recordings(tuple(names), remark)


def _say_counts(counts: Mapping[str, int], total: int) -> str:
    low, high = min(counts.values()), max(counts.values())
    each = f"{low}" if low == high else f"{low} to {high}"
    return f"{total} pictures are frames of {len(counts)} recordings ({each} each)"


def _say_too_few(counts: Counter[str], total: int, example: str) -> str:
    """Why nothing can be held out; empty where something can."""
    if len(counts) not in (1, 2) or counts.total() < total:
        return ""
    what = "one recording" if len(counts) == 1 else "two recordings"
    return (
        f"all pictures are frames of {what} by their names, such as {example}: what is held out "
        "would be nearly what is learned. Add other recordings; or, if that is no fault here, give "
        "--group-by '.+', which takes each picture for itself"
    )


def _plain(word: str) -> str:
    """Letters alone, for names of folders that are written in another way."""
    return re.sub(r"[\W\d_]", "", word).lower()
