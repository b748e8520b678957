"""YAML as people write it, in which a key that is there twice is a mistake, not the last one's."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml


class UniqueKeyLoader(yaml.SafeLoader):
    """As `yaml.SafeLoader`, which takes the last of several values without a word."""

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
