"""XML of annotation files, read without anything that XML could do beyond holding data."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from locvlm.errors import InputError
from locvlm.io.reading import one_line, parse_integer, parse_number, read_bytes


def read_xml(path: Path, root: str) -> Element:
    """The root element of an XML file, called `root`.

    A document type is refused, and with it every entity that the file could define: files of
    annotations have none, and expanding them is how a small file fills the memory.

    Raises:
        InputError: it cannot be read, is no XML, has a document type, or another root.
    """

    def refuse(*_: object) -> None:
        raise InputError(f"{path}: has a document type (<!DOCTYPE …>); remove it")

    builder = TreeBuilder()
    parser = expat.ParserCreate()
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(read_bytes(path), True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # the latter: unknown encodings
        raise InputError(f"{path}: not XML ({one_line(str(error))}); get it again") from None
    tree: Element = builder.close()
    if tree.tag != root:
        raise InputError(f"{path}: its root is not <{root}>; give annotations in that form")
    return tree


def text_of(element: Element, tag: str) -> str:
    """The text of the first `tag` below, on one line; empty where there is none."""
    return one_line(element.findtext(tag) or "")


def corners(element: Element, where: str) -> tuple[float, float, float, float]:
    """A ``<bndbox>`` of 1-based pixels, both ends counted, as x1, y1, x2, y2 of edges.

    Pixel ``i`` (from 1) covers ``[i - 1, i)``, so only the top and the left edge move.

    Raises:
        InputError: an edge is missing or no finite number.
    """
    x1, y1, x2, y2 = numbers_of(element, where)
    return x1 - 1, y1 - 1, x2, y2


def numbers_of(element: Element, where: str) -> tuple[float, float, float, float]:
    """What ``<bndbox>`` has as xmin, ymin, xmax, ymax; errors as of `corners`."""
    names = ("xmin", "ymin", "xmax", "ymax")
    x1, y1, x2, y2 = (parse_number(text_of(element, name), f"{where} {name}") for name in names)
    return x1, y1, x2, y2


def size_of(tree: Element, where: str) -> tuple[int, int] | None:
    """Width and height of ``<size>``, pixels; None where it is missing or 0.

    Raises:
        InputError: they are no whole numbers.
    """
    size = tree.find("size")
    if size is None:
        return None
    width, height = (
        parse_integer(text_of(size, n) or "0", f"{where} {n}") for n in ("width", "height")
    )
    return (width, height) if width or height else None
