"""Every command says in its help whether it goes on, and keeps to it when it is stopped."""

import functools
import re
from collections.abc import Callable
from typing import Any

import pytest

from locvlm import cli
from locvlm.commands.resuming import is_resumable, resumable, resumes
from locvlm.runtime import interrupts

COMMANDS: dict[tuple[str, ...], Callable[..., None]] = {
    **{(name,): command for name, command in cli.COMMANDS.items()},
    **{
        (group, name): command
        for group, package in cli.GROUPS.items()
        for name, command in package.COMMANDS.items()
    },
}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_and_mark_agree(words: tuple[str, ...]) -> None:
    command = COMMANDS[words]
    says_so = re.search(r"\bgoes\s+on\b", command.__doc__ or "", re.IGNORECASE) is not None
    assert is_resumable(command) == says_so


def test_there_are_both_kinds() -> None:
    assert {is_resumable(command) for command in COMMANDS.values()} == {True, False}


def begins(**given: Any) -> None:
    """A command without a mark."""


def test_only_with_its_option() -> None:
    @resumable("judge")
    def judges(judge: str | None = None) -> None: ...

    @resumable()
    def always() -> None: ...

    assert not resumes(functools.partial(judges))
    assert not resumes(functools.partial(judges, judge=None))
    assert resumes(functools.partial(judges, judge="http://localhost"))
    assert resumes(functools.partial(always))
    assert not resumes(functools.partial(begins, judge="x"))


SCORE = ["score", "coco-spatial", "--predictions", "x.jsonl"]
BUILD = ["build", "--annotations", "x.json", "--out", "x"]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["train", "x.yaml"], interrupts.GOES_ON),
        (["demo"], interrupts.GOES_ON),
        (["pseudo", "detect", "--images", "x", "--out", "x"], interrupts.GOES_ON),
        ([*SCORE, "--judge", "http://localhost", "--judge-model", "x"], interrupts.GOES_ON),
        (SCORE, ""),
        ([*BUILD, "--blur-faces"], interrupts.GOES_ON),
        (BUILD, ""),
        (["shrink", "tiny", "--rank", "1", "--out", "x"], ""),
    ],
)
def test_what_is_promised_before_a_command_runs(
    arguments: list[str], hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(interrupts, "set_resume_hint", said.append)
    parse = cli._parse

    def parsed(given: Any) -> functools.partial[None]:
        call = parse(given)
        quiet = functools.wraps(call.func)(lambda *_, **__: None)  # marked as the command is
        return functools.partial(quiet, *call.args, **call.keywords)

    monkeypatch.setattr(cli, "_parse", parsed)
    assert cli.main(arguments) == 0
    assert said == ([hint] if hint else [])
