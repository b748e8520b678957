"""YAML as people write it, in which a key that is there twice is a mistake, not the last one's."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from locvlm.errors import InputError
from locvlm.io.reading import one_line, read_bytes

LARGEST = 1 << 20  # bytes; PyYAML reads a megabyte in some seconds
MOST = 100_000  # values, those that aliases repeat counted each time
LONGEST = 100  # characters of what may be a number or a date; what is longer is a text


class UniqueKeyLoader(yaml.SafeLoader):
    """As `yaml.SafeLoader`, which takes the last of several values without a word."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        """The tag of a value. Patterns of numbers take quadratic time of a long one."""
        if kind is yaml.ScalarNode and len(value) > LONGEST:
            implicit = (False, True)
        return super().resolve(kind, value, implicit)

    def get_single_node(self) -> Any:
        """The document. Raises yaml.YAMLError where its aliases make it endless, or too much."""
        node = super().get_single_node()
        if node is not None:
            _count_values(node, {})
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """A mapping. Raises yaml.YAMLError where a key is there twice."""
        lines: dict[Hashable, int] = {}
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag.endswith(":merge"):
                continue
            key, line = self.construct_object(key_node), key_node.start_mark.line + 1
            if key in lines:
                before = "same line" if lines[key] == line else f"line {lines[key]}"
                raise yaml.YAMLError(
                    f"line {line}: the key {key!r} is there already ({before}); leave one out"
                )
            lines[key] = line
        return super().construct_mapping(node, deep)


def read_yaml(path: Path, what: str, loader: type[yaml.SafeLoader] = UniqueKeyLoader) -> Any:
    """What a YAML file holds.

    Args:
        path: the file, UTF-8.
        what: it should be, for messages: "a suite".
        loader: reads it.

    Raises:
        InputError: it cannot be read, is larger than `LARGEST`, or `parse_yaml` refuses it.
    """
    return parse_yaml_bytes(read_bytes(path), path, loader, what)


def parse_yaml_bytes(
    data: bytes, path: Path, loader: type[yaml.SafeLoader], what: str = "YAML"
) -> Any:
    """As `read_yaml`, of a file that was read."""
    if len(data) > LARGEST:
        raise InputError(f"{path}: {len(data):,} bytes are too many for {what}; shorten it")
    try:
        return parse_yaml(data.decode("utf-8-sig"), f"{path}: not {what}", loader)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text: {error}; save it as such") from None


def parse_yaml(text: str, where: str, loader: type[yaml.SafeLoader] = UniqueKeyLoader) -> Any:
    """What YAML says. Raises InputError, with `where` before the reason, if it says nothing."""
    try:
        return yaml.load(text, loader)
    except RecursionError:
        raise InputError(f"{where}: nested too deeply") from None
    except yaml.YAMLError as error:
        raise InputError(f"{where}: {_shorten(one_line(str(error)))}") from None
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError) as error:
        # of PyYAML, about a date of the 99th month, !!bool maybe, and the like
        raise InputError(
            f"{where}: a value is none of its kind ({_shorten(one_line(str(error)))}); put it in "
            "quotes if it is a text"
        ) from None


def _count_values(node: Any, known: dict[int, int]) -> int:
    """Values in a node, with what aliases repeat. Raises yaml.YAMLError above `MOST`."""
    if id(node) in known:
        if not known[id(node)]:
            raise yaml.YAMLError(f"line {node.start_mark.line + 1}: an alias leads into itself")
        return known[id(node)]
    known[id(node)] = 0  # not counted yet
    parts: list[Any] = [] if isinstance(node, yaml.ScalarNode) else node.value
    if isinstance(node, yaml.MappingNode):
        parts = [part for pair in node.value for part in pair]
    count = 1 + sum(_count_values(part, known) for part in parts)
    if count > MOST:
        raise yaml.YAMLError(f"line {node.start_mark.line + 1}: more than {MOST:,} values")
    known[id(node)] = count
    return count


def _shorten(text: str) -> str:
    return text if len(text) <= 300 else f"{text[:200]} … {text[-80:]}"
