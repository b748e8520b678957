"""Private names of transformers, accelerate, peft and trl are used in `locvlm.compat` alone."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

import locvlm

SOURCE = Path(locvlm.__file__).parent
LIBRARIES = ("transformers", "accelerate", "peft", "trl")
# Private names that are not of these libraries: of the standard library, PyTorch, pycocoevalcap
OTHERS = {
    "_replace",
    "_exit",
    "_stat",
    "_dynamo",
    "_compiled_call_impl",
    "_scaled_dot_product_flash_attention_for_cpu",
    "_scaled_dot_product_flash_attention_for_cpu_backward",
    "_overloadpacket",
    "_to_copy",
    "_cdata",
}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


@cache
def files() -> dict[str, ast.Module]:
    """Outside compat, by module."""
    paths = sorted(SOURCE.rglob("*.py"))
    return {
        ".".join(("locvlm", *path.relative_to(SOURCE).with_suffix("").parts)): ast.parse(
            path.read_text()
        )
        for path in paths
        if path.relative_to(SOURCE).parts[0] != "compat"
    }


def used_names(tree: ast.AST) -> Iterator[str]:
    """Attributes that are read or written, also by `getattr` and the like."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "").endswith("attr"):
            yield from (a.value for a in node.args[1:2] if isinstance(a, ast.Constant))


@cache
def own_names() -> set[str]:
    """What the package itself defines: functions, classes, and attributes of `self` or a class."""
    names = set()
    for tree in files().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                names.add(node.target.id)
            elif isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "self":
                names |= {node.attr} if isinstance(node.ctx, ast.Store) else set()
    return names


def library_imports(tree: ast.AST) -> Iterator[ast.ImportFrom]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in LIBRARIES:
            yield node


def test_no_attribute_is_private_to_another_library():
    found = {
        (module, name)
        for module, tree in files().items()
        for name in used_names(tree)
        if is_private(name) and name not in own_names() | OTHERS
    }
    assert found == set()


def test_nothing_private_is_imported_from_a_library():
    found = {
        (module, name)
        for module, tree in files().items()
        for node in library_imports(tree)
        for name in (*node.module.split("."), *(alias.name for alias in node.names))
        if is_private(name)
    }
    assert found == set()


def seams(cls: type) -> set[str]:
    """Private names of a library's class that a class of ours defines or uses."""
    bases = [base for base in cls.__mro__ if base.__module__.partition(".")[0] in LIBRARIES]
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    names = filter(is_private, {*defined, *vars(cls), *used_names(tree)})
    return {name for name in names if any(name in vars(base) for base in bases)}


@pytest.mark.parametrize(
    "module", [module for module, tree in files().items() if [*library_imports(tree)]]
)
def test_no_class_overrides_what_is_private_in_its_base(module: str) -> None:
    if any(node.module == "trl" for node in library_imports(files()[module])):
        pytest.importorskip("trl")
    classes = [
        value
        for value in vars(import_module(module)).values()
        if inspect.isclass(value) and value.__module__ == module
    ]
    assert {cls.__name__: seams(cls) for cls in classes if seams(cls)} == {}


def test_a_seam_is_found() -> None:
    from locvlm.compat.trainer_hooks import HookedTrainer

    assert "_save_checkpoint" in seams(HookedTrainer)
