"""Pictures that training cannot show: passed over, counted and listed, and never the end of a run.

Clips that are shown although they are damaged or odd are counted and listed, too.

The next one in the order of the visits is shown in its place. So a run that goes on sees what an
unbroken one would have seen, as long as the same pictures cannot be read.
"""

from __future__ import annotations

import json
from pathlib import Path

from locvlm.errors import InputError, UnusableImageError
from locvlm.geometry import Size
from locvlm.io.json_rows import json_rows
from locvlm.media.clips import Clip
from locvlm.media.opening import View, open_media

FILE = "skipped_images.jsonl"  # beside the stage's log
MOST = 0.9  # share of a data set's pictures: as many are no accident
IN_A_ROW = 200  # likewise, of a set too large to see all of them
LISTED = 20  # in the terminal; the file has all


class SkippedImages:
    """Those that were met in a stage, by any of the processes that prepare pictures.

    Args:
        total: pictures of the stage.
        file: they are written to; None: nowhere.
    """

    def __init__(self, total: int, file: Path | None = None):
        self.total, self.file = total, file
        self.reasons: dict[str, str] = {}
        self.odd: dict[str, str] = {}  # clips that are shown, and what is wrong with them

    def __contains__(self, image: str) -> bool:
        return image in self.reasons

    def add(self, image: str, error: InputError) -> None:
        """Raises InputError where nearly all of the pictures cannot be shown."""
        self.reasons[image] = reason = _with_name(image, error)
        if len(self.reasons) >= MOST * self.total:
            raise InputError(
                f"{len(self.reasons)} of {self.total} pictures cannot be used; the last one: "
                f"{reason}"
            ) from error
        self._append({"image": image, "reason": reason})

    def check_any(self, *, shown: bool) -> None:
        """Raises InputError where many were met, and none could be shown."""
        if not shown and len(self.reasons) >= IN_A_ROW:
            reason = next(iter(self.reasons.values()))
            raise InputError(f"{reason}; nor can {len(self.reasons) - 1} other pictures be used")

    def note(self, image: str, view: View) -> None:
        """A clip that is shown, where something is wrong with it."""
        if image not in self.odd and isinstance(view, Clip) and view.remarks:
            self.odd[image] = "; ".join(view.remarks)
            self._append({"image": image, "odd": self.odd[image]})

    def describe(self) -> list[str]:
        """What is said at the end of the stage: how many, and the first of them with reasons."""
        known = self.reasons | self._read("reason")
        skipped = [f"skipped: {reason}" for reason in known.values()]
        return [
            *self._list("pictures cannot be used, others were shown in their place", skipped),
            *self.describe_odd(),
        ]

    def describe_odd(self) -> list[str]:
        """Likewise of clips that are shown although something is wrong with them."""
        odd = self.odd | self._read("odd")
        told = [f"{image}: {words}" for image, words in odd.items()]
        return self._list("clips are odd, and are shown all the same", told)

    def _read(self, key: str) -> dict[str, str]:
        """What other processes have added, by image."""
        if self.file is None or not self.file.is_file():
            return {}
        rows = (row for _, row in json_rows(self.file, dict[str, str], "skipped images"))
        return {row["image"]: row[key] for row in rows if {"image", key} <= row.keys()}

    def _list(self, what: str, lines: list[str]) -> list[str]:
        if not lines:
            return []
        where = f"; all in {self.file}" if self.file is not None and len(lines) > LISTED else ""
        return [f"{len(lines)} {what}{where}:", *lines[:LISTED]]

    def _append(self, row: dict[str, str]) -> None:
        if self.file is not None:
            with self.file.open("a", encoding="utf-8") as file:  # one write: other processes add
                file.write(json.dumps(row) + "\n")


def open_usable(path: Path, frames: int | None, size: Size) -> View:
    """As `open_media` of what is annotated as `size` (width, height).

    Raises UnusableImageError where it cannot be read, or has another size: its boxes are wrong.
    """
    try:
        return open_media(path, frames, annotated_size=size)
    except InputError as error:
        raise UnusableImageError(str(error)) from error


def _with_name(image: str, error: InputError) -> str:
    return str(error) if image in str(error) else f"{image}: {error}"
