"""The command line: forms of the answers, exit codes, one line for bad input."""

import errno
import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from locvlm import cli
from locvlm.errors import InputError
from locvlm.version import __version__
from tests.command_line import fails_with_one_line

# Help and arguments


@pytest.mark.parametrize("command", ["describe", "detect", "video"])
def test_commands_of_a_group_have_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command in cli.GROUPS["pseudo"].COMMANDS
    with pytest.raises(SystemExit) as stop:
        cli.main(["pseudo", command, "--help"])
    assert stop.value.code == 0
    assert f"locvlm pseudo {command}" in capsys.readouterr().out
    assert "describe" in fails_with_one_line(capsys, "pseudo")


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main([command, "--help"])
    assert stop.value.code == 0
    assert f"locvlm {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command", ["locate", "describe", "ask", "build", "export", "import", "convert", "eval"]
)
def test_help_says_the_units(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    assert "pixels" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["locate"],
        ["locate", "a.jpg", "dog", "--nonsense"],
        ["eval", "--seed", "x"],
        ["build", "--annotations", "a", "--images", "b", "--out", "c", "--from", "nonsense"],
    ],
)
def test_wrong_arguments_are_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("locvlm: error: ")
    assert said.err.count("\n") == 1
    assert "--help" in said.err
    assert not set("│─╭╮╰╯") & set(said.err)


def test_the_installed_module_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "locvlm", "describe", "none.jpg", "--box", "30,10,10,40"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "swapped" in done.stderr
    assert "Traceback" not in done.stderr


# What a command raises


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (InputError("bad\n  thing"), 2, "locvlm: error: bad thing"),
        (PermissionError(13, "Permission denied", "out"), 2, "Permission denied: 'out'"),
        (ModuleNotFoundError("no torch", name="torch.nn"), 2, "pip install 'locvlm[model]'"),
        (ModuleNotFoundError("no pyplot", name="matplotlib"), 2, "pip install 'locvlm[model]'"),
        (KeyboardInterrupt(), 130, "locvlm: stopped"),
    ],
)
def test_exit_codes(
    error: BaseException,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def command() -> None:
        raise error

    monkeypatch.setattr(cli, "COMMANDS", {"demo": command, "other": command})
    assert cli.main(["demo"]) == code
    assert said in capsys.readouterr().err


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def command() -> None:
        raise ModuleNotFoundError("no colours", name="colours")

    monkeypatch.setattr(cli, "COMMANDS", {"demo": command, "other": command})
    with pytest.raises(ModuleNotFoundError):
        cli.main(["demo"])


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"locvlm {__version__}\n"


def test_a_full_disk_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def full(**arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cli, "_parse", lambda arguments: functools.partial(full))
    assert cli.main(["demo"]) == 2
    assert "cannot write: No space left on device; make room" in capsys.readouterr().err
