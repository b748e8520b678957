"""README and docs name files, modules, commands and pages that there are."""

from __future__ import annotations

import ast
import json
import re
import runpy
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import msgspec
import pytest
import yaml

from locvlm.training.recipe import Recipe, Stage
from tests.test_layers import LAYERS

ROOT = Path(__file__).parents[1]
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("CONTRIBUTING.md")), *DOCS]
COMMANDS = json.loads(Path(__file__).with_name("public_api.json").read_text())["commands"]

FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.M | re.S)
# Files of ours: from the root, or as the docs shorten them, from src/locvlm.
FILE = re.compile(
    r"(?<![\w./*-])(?:(?:src|tests|docs|recipes|benchmarks)/[\w./+-]*\w|[\w/]+/\w+\.py)\b"
)
PLACEHOLDER = "NAME"  # in a path that a reader is to fill in
OTHER_NAMES = {  # a revision on the hub; and put together by the code, name by name
    *("no_timm", "pictures_per_second", "answers_per_second", "tokens_per_second"),
}
OTHER_FLAGS = {  # of other programs
    *("--cov", "--image_folder", "--model-impl", "--noconftest", "--slow-until"),
    *("--dtype"),
}


def pages(*also: Path) -> pytest.MarkDecorator:
    every = [*PAGES, *also]
    return pytest.mark.parametrize("page", every, ids=[str(p.relative_to(ROOT)) for p in every])


def blocks(page: Path, language: str) -> list[str]:
    return [code for name, code in FENCE.findall(page.read_text()) if name == language]


def anchors(page: Path) -> set[str]:
    """What GitHub makes of the page's headings."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text()), re.M)
    words = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", text).replace(" ", "-") for text in words}


def links(page: Path) -> list[str]:
    found = re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", page.read_text()))
    return [link for link in found if "://" not in link]


@pages(ROOT / "CHANGELOG.md")
def test_links_lead_somewhere(page):
    for link in links(page):
        name, _, anchor = link.partition("#")
        there = page.parent / name if name else page
        assert there.exists(), link
        assert not anchor or anchor in anchors(there), link


def test_the_index_has_every_page():
    index = ROOT / "docs" / "README.md"
    there = {(index.parent / link.partition("#")[0]).resolve() for link in links(index)}
    assert [page for page in DOCS if page != index and page not in there] == []


@pages()
def test_files_that_are_named_exist(page):
    text = re.sub(r"\]\([^)]*\)", "]", page.read_text())  # links have a test of their own
    named = [name for name in FILE.findall(text) if PLACEHOLDER not in name]
    bases = (ROOT, ROOT / "src" / "locvlm")
    assert [name for name in named if not any((base / name).exists() for base in bases)] == []


def test_the_map_has_every_room():
    """README's boxes: the folders and files of the package, and nothing else."""
    [chart] = [code for _, code in FENCE.findall((ROOT / "README.md").read_text()) if "┌" in code]
    package = ROOT / "src" / "locvlm"
    named = re.findall(r"[a-z_]+(?:/|\.py)", chart)
    assert [name for name in named if not (package / name).exists()] == []
    folders = {f"{each.parent.name}/" for each in package.glob("*/__init__.py")}
    assert folders - set(named) == set()


def test_the_architecture_names_every_room_of_every_layer():
    text = (ROOT / "docs" / "architecture.md").read_text()
    rooms = [room for layer in LAYERS for room in layer if room != "__main__"]
    assert [room for room in rooms if f"`{room}`" not in text] == []


def test_pages_that_the_code_names_exist():
    files = [p for folder in ("src", "tests", "recipes", "benchmarks") for p in files_of(folder)]
    named = {
        (name, str(file.relative_to(ROOT)))
        for file in files
        for name in re.findall(r"(?<![\w/.])docs/[\w/-]+\.md", file.read_text())
    }
    assert [each for each in named if not (ROOT / each[0]).exists()] == []


def files_of(folder: str) -> Iterator[Path]:
    for file in (ROOT / folder).rglob("*"):
        if file.suffix in {".py", ".md", ".yaml"}:
            yield file


@pages()
def test_modules_and_names_of_them_exist(page):
    text = page.read_text()
    dotted = re.findall(r"(?<![\w./-])locvlm(?:\.[A-Za-z_]\w*)+", text)
    for name in set(dotted) - {"locvlm.json"}:
        resolve(name)
    for code in blocks(page, "python"):
        for node in ast.walk(ast.parse(plain(code))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("locvlm"):
                for alias in node.names:
                    resolve(f"{node.module}.{alias.name}")


def plain(code: str) -> str:
    """A doctest without its prompts and output."""
    if ">>>" not in code:
        return code
    return "\n".join(line[4:] for line in code.splitlines() if line[:4] in (">>> ", "... "))


def resolve(dotted: str) -> object:
    """A module, or a name in one. Raises where there is none."""
    module, _, name = dotted.rpartition(".")
    try:
        return import_module(dotted)
    except ModuleNotFoundError:
        if not module:
            raise
        return getattr(resolve(module), name)


@pages()
def test_names_in_code_occur_there(page):
    """What looks like a name of ours: `read_NAME` and the like are to be filled in."""
    inline = re.findall(r"(?<!`)`(_?[A-Za-z]\w*)`(?!`)", FENCE.sub("", page.read_text()))
    looks_named = re.compile(r"[a-z]_[a-z]|^_|[a-z][A-Z]")
    named = {name for name in inline if looks_named.search(name) and PLACEHOLDER not in name}
    assert sorted(named - words_of_code() - OTHER_NAMES) == []


@cache
def words_of_code() -> set[str]:
    return {
        word
        for folder in ("src", "recipes", "benchmarks")
        for file in files_of(folder)
        for word in re.findall(r"\w+", file.read_text())
    }


@pages()
def test_commands_have_the_flags_that_are_named(page):
    text = page.read_text()
    inline = re.findall(r"(?<!`)`([^`]+)`(?!`)", FENCE.sub("", text))
    code = [*blocks(page, "sh"), *(re.sub(r"\s+", " ", each) for each in inline)]
    for line in "\n".join(code).replace("\\\n", " ").splitlines():
        for call in re.split(r"[|;&#]", line):
            found = re.search(r"(?:^| )locvlm ((?:pseudo )?[a-z]+)\b(.*)", call)
            if found:
                name, rest = found.groups()
                assert name in COMMANDS or name == "pseudo", call
                flags = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", rest))
                assert flags <= set(COMMANDS.get(name, ["--help"])), call
            script = re.search(r"python (benchmarks/\w+\.py)(.*)", call)
            if script:
                source = (ROOT / script[1]).read_text()
                assert [f for f in re.findall(r" (--[a-z-]+)", script[2]) if f not in source] == []
    every = {flag for flags in COMMANDS.values() for flag in flags} | OTHER_FLAGS
    alone = {each.split()[0] for each in inline if re.match(r"--[a-z]", each)}
    assert {flag.partition("=")[0] for flag in alone} <= every


def test_the_recipes_that_are_shown_are_recipes():
    train = ROOT / "docs" / "train"
    [recipe] = blocks(train / "recipes.md", "yaml")
    assert msgspec.convert(yaml.safe_load(recipe), Recipe, str_keys=True).stages
    [stages] = blocks(train / "reinforcement.md", "yaml")
    for stage in yaml.safe_load(stages).values():
        assert msgspec.convert(stage, Stage).reinforce


def test_the_api_page_is_fresh():
    made = runpy.run_path(str(ROOT / "docs" / "api.py"))["page"]()
    assert made == (ROOT / "docs" / "api.md").read_text(), "run make docs"
