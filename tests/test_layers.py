"""Imports go one way: from the commands down to the geometry, and never in a circle.

Imports inside functions and those for types alone count as well, and the `__init__` of a package is
a file like any other. docs/architecture.md says what each layer is for.
"""

from __future__ import annotations

from collections.abc import Iterator

import grimp
import networkx
import pytest

# From the ground up. A room (a package or a file beside `locvlm/__init__.py`) imports from the
# layers before its own only, ...
LAYERS = (
    ("version", "errors", "geometry", "shown", "progress", "families"),
    ("io", "media", "runtime", "distributed", "parallel", "records", "compat", "openai_client"),
    ("processors", "coordinates"),
    ("annotations",),
    ("models",),
    ("instructions", "interchange"),
    ("inference", "training"),
    ("evaluation", "pseudo", "inspection"),
    ("publishing", "ablation", "tuning", "demo", "integrations"),
    ("locvlm",),
    ("commands", "cli", "__main__"),
)
# ... and within its own from these.
BESIDE = {
    ("geometry", "errors"),
    ("progress", "shown"),
    ("media", "io"),
    ("openai_client", "io"),
    ("parallel", "io"),
    ("parallel", "runtime"),
    ("coordinates", "processors"),
    ("interchange", "instructions"),
    ("training", "inference"),
    ("demo", "tuning"),
    ("cli", "commands"),
    ("__main__", "cli"),
}


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """What each file imports of the package."""
    graph = grimp.build_graph("locvlm", cache_dir=None)
    return {each: graph.find_modules_directly_imported_by(each) for each in graph.modules}


def room(module: str) -> str:
    return (*module.split("."), "locvlm")[1] if "." in module else module


def cut(module: str, depth: int) -> str:
    """The folder or file that the module is in, `depth` names deep."""
    return ".".join(module.split(".")[:depth])


def climbs(imports: dict[str, set[str]]) -> Iterator[tuple[str, str]]:
    layer = {name: number for number, names in enumerate(LAYERS) for name in names}
    for here, others in imports.items():
        for there in others:
            low, high = room(there), room(here)
            if low == high or (high, low) in BESIDE:
                continue
            if layer[low] >= layer[high]:
                yield here, there


def circles(imports: dict[str, set[str]]) -> list[list[str]]:
    graph = networkx.DiGraph(imports)
    graph.remove_edges_from(networkx.selfloop_edges(graph))
    return [sorted(each) for each in networkx.strongly_connected_components(graph) if len(each) > 1]


def test_no_file_imports_itself_by_a_detour(imports):
    assert circles(imports) == []


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_no_folder_imports_itself_by_a_detour(imports, depth):
    folders: dict[str, set[str]] = {}
    for here, others in imports.items():
        folders.setdefault(cut(here, depth), set()).update(cut(each, depth) for each in others)
    assert circles(folders) == []


def test_no_room_imports_from_above_or_beside(imports):
    assert sorted(climbs(imports)) == []


def test_the_layers_name_the_rooms_that_there_are(imports):
    named = {name for names in LAYERS for name in names}
    assert named == {room(each) for each in imports}
