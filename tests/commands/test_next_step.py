"""The line that a person would type next."""

from __future__ import annotations

import shlex
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from pytest import CaptureFixture

from locvlm.commands.next_step import format_command, print_next


def test_it_is_for_people_and_not_among_results(capsys: CaptureFixture[str]) -> None:
    print_next(format_command("inspect", Path("data/shop"), "--out", "looks"))

    said = capsys.readouterr()
    assert said.err == "next: locvlm inspect data/shop --out looks\n"
    assert said.out == ""


def test_spaces_are_quoted() -> None:
    assert format_command("train", Path("my recipe.yaml")) == "locvlm train 'my recipe.yaml'"


@given(st.lists(st.text(st.characters(codec="utf-8"))))
def test_a_shell_reads_the_same_words(words: list[str]) -> None:
    assert shlex.split(format_command(*words)) == ["locvlm", *words]
