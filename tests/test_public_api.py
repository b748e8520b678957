"""What users and their scripts hold on to: it stays when the house inside is rebuilt.

`public_api.json` is the record. A change to it is a change for users: it belongs into CHANGELOG.md.

    python -c 'from tests.test_public_api import write; write()'
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

import locvlm
from locvlm import annotations, cli, coordinates
from locvlm.commands import pseudo
from locvlm.inference.predictor import Predictor

RECORD = Path(__file__).with_name("public_api.json")
COMMANDS = [*cli.COMMANDS, *(f"pseudo {name}" for name in pseudo.COMMANDS)]


def signature(function: Callable[..., Any]) -> dict[str, str]:
    """Each parameter with what it is where nobody gives it."""
    parameters = inspect.signature(function).parameters.values()
    return {
        each.name: "required" if each.default is each.empty else repr(each.default)
        for each in parameters
        if each.name != "self"
    }


def options(command: str) -> list[str]:
    """The flags that the help of a command shows."""
    said = StringIO()
    with redirect_stdout(said), pytest.raises(SystemExit):
        cli.main([*command.split(), "--help"])
    return sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", said.getvalue())))


def current() -> dict[str, Any]:
    methods = inspect.getmembers(Predictor, inspect.isfunction)
    return {
        "load": signature(locvlm.load),
        "predictor": {name: signature(it) for name, it in methods if name[0] != "_"},
        "coordinates.get": signature(coordinates.get),
        "coordinates": coordinates.names(),
        "annotations.read": signature(annotations.read),
        "annotations": annotations.names(),
        "commands": {command: options(command) for command in COMMANDS},
    }


def write() -> None:
    RECORD.write_text(json.dumps(current(), indent=1) + "\n", encoding="utf-8")


def test_nothing_that_users_hold_on_to_has_changed(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert current() == json.loads(RECORD.read_text(encoding="utf-8"))
