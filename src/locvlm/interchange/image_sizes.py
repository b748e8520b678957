"""The sizes of the pictures that records are about."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from locvlm.geometry import Size
from locvlm.io.reading import is_file, quote
from locvlm.media.headers import Header, read_header
from locvlm.records.fields import Record, declared_size, image_names

COLUMNS = ("width", "height")


class ImageSizes:
    """Finds the size of a record's picture, original pixels as displayed.

    Args:
        images: folder that the pictures' names are relative to. None: trust the columns `width`
            and `height` where a record has them, and look beside `file` for the others.
        columns: the columns to trust where a record has them, whatever `images` is.
        file: the data set.
        read: reads a picture's header; `read_whole_header` refuses cut files, too.
    """

    def __init__(
        self,
        images: Path | None = None,
        columns: tuple[str, str] | None = None,
        file: Path = Path(),
        read: Callable[[Path], Header] = read_header,
    ):
        self.folder = file.parent if images is None else images
        self.columns = COLUMNS if columns is None and images is None else columns
        # bounded, so that memory does not grow with the data set
        self._header = lru_cache(maxsize=4096)(read)

    def of(self, record: Record) -> Size | None:
        """(width, height); None where no size is known, or its pictures have different ones.

        Raises:
            ValueError: the record's columns hold something else.
            InputError: the picture is damaged.
        """
        if self.columns and (size := declared_size(record, self.columns)):
            return size
        paths = [self.folder / name for name in image_names(record)]
        if not paths or not all(map(is_file, paths)):
            return None
        sizes = {self._header(path).displayed for path in paths}
        return sizes.pop() if len(sizes) == 1 else None

    def of_file(self, name: str) -> Size | None:
        """(width, height) of a file; None where there is none. Raises InputError as `of`."""
        path = self.folder / name
        return self._header(path).displayed if is_file(path) else None

    def why(self, record: Record) -> str:
        """Why no size of the record's picture is known, with the name of the picture."""
        names = image_names(record)
        if not names:
            return "names no picture"
        missing = [name for name in names if not is_file(self.folder / name)]
        if missing:
            return f"there is no {quote(missing[0])} in {self.folder}"
        return f"its pictures, such as {quote(names[0])}, have different sizes"
