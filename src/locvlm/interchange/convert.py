"""Rewrites the coordinates in a data set of text from one format to another.

Only the texts of parsed locations change, inside their JSON strings; everything else stays byte
for byte as it was.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from locvlm.coordinates import CoordinateFormat
from locvlm.coordinates.rewriting import place_of, rewrite, stands_bare
from locvlm.errors import InputError, LocVLMError, UnusableImageError
from locvlm.geometry import Frame, Location, Point
from locvlm.instructions.base import LocationKind
from locvlm.interchange.image_sizes import ImageSizes
from locvlm.interchange.plausibility import Plausibility
from locvlm.io.outputs import Reads, check_output_file
from locvlm.io.same_again import Writer, write_once
from locvlm.media.image_files import check_folder
from locvlm.progress import track
from locvlm.records.fields import Record, decode_record, holds_text
from locvlm.records.json_text import Edit, apply_edits, find_strings
from locvlm.records.splitting import STREAM, open_records, split
from locvlm.records.turns import turns_with_numbers

FEW = 3  # groups of numbers that are no location: fewer may be there by chance


@dataclass
class ConversionReport:
    """What happened, over the whole file."""

    records: int = 0
    rewritten: int = 0  # locations
    clipped: int = 0  # times that one of them was cut to the picture, or to what a model sees
    unparsed: int = 0  # groups of numbers that are no location of the source's format; left alone
    unwritable: int = 0  # locations of a kind that the target's format cannot write; left alone
    unwanted: int = 0  # locations of the other kind than was asked for; left alone
    placeholders: int = 0  # records whose locations are numbers beside the text, as ms-swift's
    without_size: int = 0  # records with locations, left alone: no size of their picture is known
    sizeless: str = field(default="", compare=False)  # the first of these, and why
    unreadable: int = 0  # likewise: their picture cannot be read
    unreadable_image: str = field(default="", compare=False)  # the first of these, and why
    unread: str = field(default="", compare=False)  # the first of the unparsed
    assumed: str = field(default="", compare=False)  # of the numbers, where nothing proves it
    unread_at: str = field(default="", compare=False)  # where it is: file and line


def convert(
    source: Path,
    out: Path,
    *,
    read: CoordinateFormat,
    write: CoordinateFormat,
    images: Path | None = None,
    size_columns: tuple[str, str] | None = None,
    only: LocationKind | None = None,
) -> ConversionReport:
    """Convert a file of records (see `records.splitting`); ``-`` is standard input or output.

    Args:
        source: the data set.
        out: the converted one, written complete or not at all; not `source` itself. A file that is
            there must be the very same.
        read: the format that its coordinates are in, in the frame of that format's models.
        write: the format that they are to be in, likewise.
        images: folder that the pictures' names are relative to.
        size_columns: names of the columns with the pictures' width and height, pixels.
        only: convert boxes alone or points alone; None: both.

    Raises:
        InputError: a file cannot be read or written, something is no record (its line is named),
            there are locations, but not one record says how large its picture is, or most records
            have groups of numbers, but none is a location in the format `read`, or nearly all
            locations reach out of their pictures, or none of the pictures can be read.
    """
    if images is not None:
        check_folder(images)
    check_output_file(out, Reads([source]), is_former=lambda _: True, flag="OUT")
    converter = Converter(read, write, ImageSizes(images, size_columns, source), only)
    with _open_input(source) as file, _open_output(out) as target:
        for data, place in track(split(file, source), "Converting"):
            target.write(converter.record(data, place) if place else data)
        target.flush()
        report = converter.report
        converter.plausibility.check(str(source))
        report.assumed = converter.plausibility.tell_assumption()
        if report.without_size and not report.rewritten:
            raise InputError(
                f"{source}: none of the {report.without_size} records with locations has a picture "
                f"of a known size ({report.sizeless}); give --images DIR or --size-columns "
                "WIDTH,HEIGHT"
            )
        if report.unreadable and not report.rewritten:
            raise InputError(
                f"{report.unreadable_image}; none of the {report.unreadable} records with "
                "locations has a picture that can be read"
            )
        if not report.rewritten and report.unparsed >= max(FEW, report.records):
            raise InputError(
                f"{source}: none of its {report.unparsed} groups of numbers is a location in "
                f"{read.name}, such as {report.unread!r} ({report.unread_at}); say how they are "
                "written with --from"
            )
    return report


class Converter:
    """Rewrites records from the format `read` to the format `write`, and counts."""

    def __init__(
        self,
        read: CoordinateFormat,
        write: CoordinateFormat,
        sizes: ImageSizes,
        only: LocationKind | None = None,
    ):
        self.read = read
        self.write = write
        self.sizes = sizes
        self.only = only
        self.report = ConversionReport()
        self.plausibility = Plausibility(read, "--from")

    def record(self, data: bytes, place: str) -> bytes:
        """One record, as JSON.

        Raises:
            InputError: it is no record; `place` is how it is named.
        """
        record = decode_record(data, place)
        self.report.records += 1
        for numbers in turns_with_numbers(record):
            self.report.unparsed += 1
            self.report.unread = self.report.unread or f"{numbers}, a list and no text"
            self.report.unread_at = self.report.unread_at or place
        text = data.decode()  # valid, since it could be decoded
        self.report.placeholders += "<bbox>" in text and bool(record.get("objects"))
        found = [
            string
            for string in find_strings(text)
            if holds_text(string.path) and any(True for _ in self.read.find(string.value))
        ]
        if not found:
            return data
        try:
            frames = self._frames(record, place)
        except UnusableImageError as error:
            self.report.unreadable += 1
            self.report.unreadable_image = self.report.unreadable_image or str(error)
            return data
        if frames is None:
            self.report.without_size += 1
            self.report.sizeless = self.report.sizeless or f"{place}: {self.sizes.why(record)}"
            return data
        unread = self.report.unparsed
        edits = [(string, self._edits(string.value, *frames)) for string in found]
        if self.report.unparsed > unread and not self.report.unread_at:
            self.report.unread_at = place
        return apply_edits(text, edits).encode()

    def _edits(self, text: str, source: Frame, target: Frame) -> list[Edit]:
        parsed = self.read.parse_report(text, source)
        self.plausibility.add(text, parsed, source.original)
        clipped = self.write.counts["encode_clipped"]
        spans, places = [], []
        for location, span in zip(parsed.locations, parsed.spans, strict=True):
            if self.only not in (None, _kind_of(location)):
                self.report.unwanted += 1
                continue
            bare = stands_bare(self.read, text, span)
            try:
                places.append(place_of(location, self.write, target, bare=bare))
            except LocVLMError:  # it has boxes only, or points only
                self.report.unwritable += 1
                continue
            spans.append(span)
        self.report.rewritten += len(spans)
        self.report.clipped += parsed.n_clipped + self.write.counts["encode_clipped"] - clipped
        self.report.unparsed += parsed.n_malformed
        if parsed.unread and not self.report.unread:
            start, end = parsed.unread[0]
            self.report.unread = text[start:end][:80]
        same = self.read == self.write and source == target
        return [] if same else rewrite(text, spans, places, self.write)

    def _frames(self, record: Record, place: str) -> tuple[Frame, Frame] | None:
        """What either format's models see; None where the picture's size is not known.

        Raises:
            InputError: its columns hold no size.
            UnusableImageError: the picture cannot be read, or its size is none that models take.
        """
        try:
            size = self.sizes.of(record)
            return size and (self.read.frame(size), self.write.frame(size))
        except ValueError as error:
            raise InputError(f"{place}: {error}") from None
        except InputError as error:
            raise UnusableImageError(f"{place}: {error}") from None


def _kind_of(location: Location) -> LocationKind:
    return "point" if isinstance(location, Point) else "box"


def _open_input(path: Path) -> AbstractContextManager[BinaryIO]:
    return nullcontext(sys.stdin.buffer) if path == STREAM else open_records(path)


def _open_output(path: Path) -> AbstractContextManager[Writer]:
    return nullcontext(sys.stdout.buffer) if path == STREAM else write_once(path)
