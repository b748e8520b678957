"""`locvlm COMMAND …`: one function per command, in the file of `commands` with the command's name.

Nothing heavy is imported until a command runs, so that help appears at once. Exit codes: 0; 2 for
bad arguments or bad input, with one line that says what, where and what to do; 1 where nobody reads
the output to its end; 130 for Ctrl-C.
"""

from __future__ import annotations

import errno
import functools
import io
import os
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from types import ModuleType
from typing import Annotated, Any, Union

import tyro

from locvlm.commands import pseudo
from locvlm.commands.ablate import ablate
from locvlm.commands.ask import ask
from locvlm.commands.build import build
from locvlm.commands.compare import compare
from locvlm.commands.convert import convert
from locvlm.commands.demo import demo
from locvlm.commands.describe import describe
from locvlm.commands.eval import evaluate
from locvlm.commands.export import export
from locvlm.commands.import_ import import_
from locvlm.commands.inspect import inspect
from locvlm.commands.locate import locate
from locvlm.commands.merge import merge
from locvlm.commands.plan import plan
from locvlm.commands.prove import prove
from locvlm.commands.questions import questions
from locvlm.commands.resuming import resumes
from locvlm.commands.score import score
from locvlm.commands.shrink import shrink
from locvlm.commands.train import train
from locvlm.commands.tune import tune
from locvlm.errors import InputError
from locvlm.io.links import link_loop
from locvlm.runtime import interrupts
from locvlm.shown.terminal import say_error
from locvlm.version import __version__

COMMANDS: dict[str, Callable[..., None]] = {
    "demo": demo,
    "tune": tune,
    "build": build,
    "inspect": inspect,
    "import": import_,
    "export": export,
    "convert": convert,
    "plan": plan,
    "train": train,
    "ablate": ablate,
    "eval": evaluate,
    "questions": questions,
    "score": score,
    "compare": compare,
    "prove": prove,
    "locate": locate,
    "describe": describe,
    "ask": ask,
    "merge": merge,
    "shrink": shrink,
}
GROUPS = {"pseudo": pseudo}  # packages with commands of their own
DESCRIPTION = (
    "Vision-language models that know where things are. Boxes are x1,y1,x2,y2 and points x,y in "
    "pixels of the original picture: x to the right, y downwards, from the top-left corner."
)
# What a path given by the user can be wrong about; other OSErrors are not the input's fault.
DEBUG = "--debug"  # of any command: where an error of one line came from
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # nothing more can be written
PATH_ERRORS = (FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError)
_SYMLINK_LOOP = re.compile("Symlink loop from '(.+)'")
EXTRAS = {
    **dict.fromkeys(("torch", "transformers", "peft", "accelerate", "safetensors"), "model"),
    **dict.fromkeys(("gguf", "huggingface_hub", "matplotlib", "onnx", "tokenizers"), "model"),
    "urllib3": "judge",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; `arguments` default to the command line's. Returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    debug = DEBUG in arguments or bool(os.environ.get("LOCVLM_DEBUG"))
    arguments = [each for each in arguments if each != DEBUG]
    if arguments == ["--version"]:
        print(f"locvlm {__version__}")
        return 0
    # transformers' bars of weights being read say nothing that a user waits for
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    # names that peft and TRL still use and transformers will drop: nothing that a user could do
    warnings.filterwarnings("ignore", message=".*gradient_checkpointing` is deprecated.*")
    # an interface of TRL that may change: its versions are bounded
    warnings.filterwarnings("ignore", message=".*rollout_func.*experimental.*")
    try:
        command = _parse(arguments)
        if resumes(command):
            interrupts.set_resume_hint(interrupts.GOES_ON)
        command()
    except (InputError, *PATH_ERRORS) as error:
        if debug:
            traceback.print_exception(error)
        return _fail(str(error))
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        return _fail(f"{error.name} is not installed; pip install 'locvlm[{extra}]'")
    except BrokenPipeError:  # who reads our output has enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno == errno.ELOOP:
            return _fail(str(link_loop(error.filename)))
        if error.errno not in FULL:
            raise
        return _fail(f"cannot write: {error.strerror}; make room, or write elsewhere")
    except RuntimeError as error:  # pathlib's, before Python 3.13
        if not (found := _SYMLINK_LOOP.match(str(error))):
            raise
        return _fail(str(link_loop(found[1])))
    except KeyboardInterrupt:
        return interrupts.report_stopped()
    return 0


def _parse(arguments: Sequence[str] | None) -> functools.partial[None]:
    """The command with its arguments, not run yet. Raises InputError where they are wrong."""
    errors = io.StringIO()
    try:
        with redirect_stderr(errors):
            command: functools.partial[None] = tyro.extras.subcommand_cli_from_dict(
                {name: _defer(command) for name, command in COMMANDS.items()}
                | {name: _group(package) for name, package in GROUPS.items()},
                prog="locvlm",
                description=DESCRIPTION,
                args=arguments,
                config=(tyro.conf.FlagCreatePairsOff, tyro.conf.OmitSubcommandPrefixes),
            )
    except SystemExit as stop:
        if not stop.code:  # the help was asked for
            raise
        raise InputError(_unbox(errors.getvalue())) from None
    return command


def _defer(command: Callable[..., None]) -> Callable[..., functools.partial[None]]:
    """`command` with the same signature, that is only bound to its arguments when called."""

    @functools.wraps(command)
    def bind(*args: Any, **kwargs: Any) -> functools.partial[None]:
        return functools.partial(command, *args, **kwargs)

    return bind


def _group(package: ModuleType) -> Callable[..., Callable[[], None]]:
    """One of the commands of a package; its first line is their common help."""
    choices = [
        Annotated[Any, tyro.conf.subcommand(name=name, constructor=_defer(command))]
        for name, command in package.COMMANDS.items()
    ]

    def chosen(command: Any) -> Any:
        return command

    union: Any = Union[tuple(choices)]  # noqa: UP007 how many is not known here
    chosen.__annotations__["command"] = Annotated[union, tyro.conf.arg(name="")]
    chosen.__doc__ = package.__doc__
    return chosen


def _unbox(message: str) -> str:
    """The words in a box that tyro drew, without its title."""
    _, _, inside = message.partition("\n")
    return " ".join(re.sub("[│─╭╮╰╯]+", " ", inside).split())


def _fail(reason: str) -> int:
    say_error(reason)
    return 2
