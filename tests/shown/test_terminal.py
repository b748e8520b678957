"""Nothing that is printed can give orders to a terminal."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import locvlm
from locvlm import cli
from locvlm.errors import InputError
from locvlm.shown.terminal import say, say_error, say_json, say_text, shorten, show_line

HOSTILE = "\x1b[2J\x9b31m\r\b\x07\x7f\u202e\n\udc80"


def test_controls_are_shown() -> None:
    assert show_line(f"a{HOSTILE}b") == r"a\x1b[2J\x9b31m\r\x08\x07\x7f\u202e\n\udc80b"
    assert show_line("Größe\t→ 犬 👩‍🚀 [red] \\") == "Größe\t→ 犬 👩‍🚀 [red] \\"


@given(st.text(st.characters()))
def test_any_text_is_one_line_that_can_be_printed(text: str) -> None:
    line = show_line(text)
    line.encode()
    assert len(line.splitlines()) <= 1
    assert all(letter.isprintable() or ord(letter) > 159 or letter == "\t" for letter in line)


def test_printing(capsys: pytest.CaptureFixture[str]) -> None:
    say("one\x1b", Path("a\nb"))
    say_text("two\nlines\x1b\r\nand another")
    say(1, file=sys.stderr)
    assert capsys.readouterr() == ("one\\x1b\na\\nb\ntwo\nlines\\x1b\nand another\n", "1\n")


def test_json_is_the_same_value(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"a": "\x1b[2J\x9b\x7f\u202e→\\\x9b"}
    say_json(value)
    said = capsys.readouterr().out.removesuffix("\n")
    assert json.loads(said) == value
    assert said == show_line(said)


def test_long_errors_keep_both_ends(capsys: pytest.CaptureFixture[str]) -> None:
    say_error(f"here\n{'x' * 10**6} there")
    said = capsys.readouterr().err
    assert said.startswith("locvlm: error: here x") and said.endswith("x there\n")
    assert len(said) < 4100
    assert shorten("a" * 9, 8) == "aa … aa"


def test_errors_of_commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def fail(*_: object) -> None:
        raise InputError(f"{HOSTILE}: [/b] is wrong")

    monkeypatch.setattr(cli, "_parse", fail)
    assert cli.main(["demo"]) == 2
    said = capsys.readouterr().err
    assert said == r"locvlm: error: \x1b[2J\x9b31m \x08\x07\x7f\u202e \udc80: [/b] is wrong" + "\n"


def test_names_of_files_in_arguments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", str(tmp_path / "\x1b[2J[/b][red]x"), "b"]) == 2
    said = capsys.readouterr().err
    assert "\x1b" not in said and r"\x1b[2J[/b][red]x" in said


def test_everything_is_printed_by_these() -> None:
    root = Path(locvlm.__file__).parent
    doors = {root / "shown/terminal.py", root / "shown/screen.py", root / "__main__.py"}
    own = {"cli.py": 1, "interrupts.py": 1}  # the version; a line with the cursor's code
    for file in set(root.rglob("*.py")) - doors:
        names = [
            node.id
            for node in ast.walk(ast.parse(file.read_bytes()))
            if isinstance(node, ast.Name) and node.id in ("print", "Console")
        ]
        assert len(names) <= own.get(file.name, 0), f"{file}: {names}; use say or Screen"
