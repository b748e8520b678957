"""What a command may write: nothing that it reads, and nothing that it has not made.

    a file    that is not there, or is a former output of the same command, which is replaced
    a folder  that is new or empty, or carries the mark of the same command: its own files of old
              (`manifest.json` of a data set, `run.json` of an evaluation, …), or `MARK`

What is, contains or links to something that the command reads is refused, whatever it carries.
Paths are compared by what they lead to: links, hard links and file systems that do not tell A from
a hide nothing. Every command asks here before its work.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from locvlm.errors import InputError
from locvlm.io.atomic import atomic_folder, ensure_dir, is_scratch, write_bytes
from locvlm.io.digests import digest_file
from locvlm.io.links import Identity, identities_above, identity_of, real_path
from locvlm.io.own_files import read_own_json

MARK = ".locvlm-output.json"  # in a folder: which command has made it, and what is in it
_OF_SYSTEMS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})  # nobody has put them there
NEW_FOLDER = "a new or empty folder"
_SMALL = 1 << 20  # bytes: files up to this are compared by their content, others by their size


class OutputMark(msgspec.Struct, frozen=True):
    """Who has made a folder."""

    command: str  # as "inspect"
    work: dict[str, Any] = {}  # what it was asked for, where another answer must not be mixed in
    files: dict[str, str] | None = None  # name -> state, of a folder that is replaced as a whole


@dataclass(frozen=True)
class Reads:
    """What a command reads.

    Args:
        paths: files and folders; None and ``-`` are nothing.
        listed: folders among them in which every file counts, such as one of annotations: nothing
            may be written anywhere below them.
    """

    paths: Iterable[Path | None] = ()
    listed: Iterable[Path | None] = ()

    def all(self) -> list[Path]:
        """Those that are there."""
        given = [each for each in (*self.paths, *self.listed) if each is not None]
        return [each for each in given if str(each) != "-" and identity_of(each) is not None]

    def folders(self) -> list[Path]:
        """The listed ones."""
        return [each for each in self.listed if each is not None and each.is_dir()]


def check_output_file(
    out: Path,
    reads: Reads,
    *,
    is_former: Callable[[Path], bool],
    flag: str = "--out",
    form: str = "what this command writes",
) -> None:
    """Raise InputError unless a command may write the file `out`.

    Args:
        out: the file; ``-``, a device or a pipe is written to as it is.
        reads: what the command reads.
        is_former: whether a file that is there is a former output of the same command, by what is
            in it; that is replaced.
        flag: how the user names it.
        form: that of its outputs, in words.
    """
    there = identity_of(real_path(out))
    if str(out) == "-" or (there and not out.is_file() and not out.is_dir()):
        return
    if out.is_dir():
        raise InputError(f"{flag} {out}: is a folder; name a file in it")
    _refuse_reads(out, reads, flag, "another name")
    if there and out.stat().st_size and not is_former(out):
        raise InputError(
            f"{flag} {out}: exists and is not {form}, so it is not replaced; give another name, or "
            "remove it"
        )


def check_output_folder(
    out: Path,
    reads: Reads,
    *,
    is_own: Callable[[Path], bool] = lambda _: False,
    leftovers: Collection[str] = (),
    flag: str = "--out",
) -> None:
    """Raise InputError unless a command may write into the folder `out`; makes nothing.

    Args:
        out: new, empty, or one that the command knows as its own.
        reads: what the command reads; its own files in `out` are not among them.
        is_own: whether the folder carries the command's own mark; may raise InputError itself.
        leftovers: names of files that a command which was killed early leaves there.
        flag: how the user names it.
    """
    real_path(out)
    if not out.is_dir():
        if out.exists():
            raise InputError(f"{flag} {out}: is a file; give a folder")
        _refuse_reads(out, reads, flag, NEW_FOLDER)
        return
    _refuse_reads(out, reads, flag, NEW_FOLDER)
    _refuse_links(out, reads, flag)
    others = [name for name in _names_in(out) if name not in leftovers]
    if others and not is_own(out):
        raise InputError(f"{flag} {out}: holds other files, such as {others[0]}; give {NEW_FOLDER}")


def claim_output_folder(
    out: Path,
    command: str,
    reads: Reads,
    *,
    work: Mapping[str, Any] | None = None,
    is_older: Callable[[Path], bool] = lambda _: False,
) -> None:
    """Make the folder `out` the command's, or go on in it; see `check_output_folder`.

    Args:
        out: the folder.
        command: whose it is.
        reads: what the command reads.
        work: what the command was asked for: it goes on only with the same.
        is_older: whether a folder without a mark was begun by a version that left none.
    """
    mark = OutputMark(command, dict(work or {}))

    def is_own(folder: Path) -> bool:
        before = read_mark(folder)
        if before is None:
            return is_older(folder)
        return _is_same(folder, before, mark)

    check_output_folder(out, reads, is_own=is_own)
    write_bytes(ensure_dir(out) / MARK, msgspec.json.encode(mark) + b"\n")


def check_filled_folder(
    out: Path,
    command: str,
    reads: Reads,
    *,
    work: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> None:
    """Raise InputError unless `fill_output_folder` may fill `out`, long before that.

    A folder of the command is replaced as a whole if all that it holds is as the command left it.

    Args:
        out: see `check_output_folder`.
        command: whose it is.
        reads: what the command reads.
        work: what the command was asked for, where only the same replaces it.
        overwrite: replace whatever is there.
    """

    def is_own(folder: Path) -> bool:
        before = read_mark(folder)
        if overwrite or before is None:
            return overwrite
        if not _is_same(folder, before, OutputMark(command, dict(work or {}))):
            return False
        now, then = _list_files(folder), before.files or {}
        if changed := [name for name in now if then.get(name) != now[name]]:
            raise InputError(
                f"--out {folder}: {changed[0]} is not as locvlm {command} has left it, so the "
                "folder is not replaced; give another --out"
            )
        return True

    check_output_folder(out, reads, is_own=is_own)


@contextmanager
def fill_output_folder(
    out: Path,
    command: str,
    reads: Reads,
    *,
    work: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> Iterator[Path]:
    """A folder to fill, there complete or not at all; see `check_filled_folder`."""
    check_filled_folder(out, command, reads, work=work, overwrite=overwrite)
    with atomic_folder(out) as folder:
        yield folder
        mark = OutputMark(command, dict(work or {}), _list_files(folder))
        (folder / MARK).write_bytes(msgspec.json.encode(mark) + b"\n")


def read_mark(folder: Path) -> OutputMark | None:
    """Who has made the folder; None where it does not say."""
    try:
        return read_own_json(folder / MARK, OutputMark, "a mark of locvlm")
    except InputError:
        return None


def _is_same(folder: Path, before: OutputMark, now: OutputMark) -> bool:
    """Whether the same command has made it. Raises InputError where it had other work."""
    if before.command != now.command:
        raise InputError(
            f"--out {folder}: is what locvlm {before.command} has made; give another --out"
        )
    for key, value in now.work.items():
        if before.work.get(key) != value:
            raise InputError(
                f"--out {folder}: was begun with {key} {before.work.get(key)!r}, not {value!r}; "
                "give another --out"
            )
    return True


def _list_files(folder: Path) -> dict[str, str]:
    """The files below, by their paths in it, each with its state."""
    found = {}
    for base, _, names in os.walk(folder):
        for path in (Path(base, name) for name in names):
            if path.name not in _OF_SYSTEMS and path != folder / MARK:
                size = path.lstat().st_size
                content = path.is_file() and size <= _SMALL
                name = path.relative_to(folder).as_posix()
                found[name] = digest_file(path)[:16] if content else f"{size} bytes"
    return dict(sorted(found.items()))


def _names_in(folder: Path) -> list[str]:
    names = (each.name for each in folder.iterdir())
    return sorted(name for name in names if name not in _OF_SYSTEMS and not is_scratch(name))


def _refuse_reads(out: Path, reads: Reads, flag: str, instead: str) -> None:
    """Raises InputError where `out` is or contains what is read, or lies where all is read."""
    there, above = identity_of(out), identities_above(out)
    for read in reads.all():
        if there and there == identity_of(read):
            other = "" if str(read) == str(out) else f"the same as {read}, "
            raise InputError(f"{flag} {out}: is {other}what is read; give {instead}")
        if there and there in identities_above(read):
            raise InputError(f"{flag} {out}: holds {read}, which is read; give {instead}")
    for folder in reads.folders():
        if identity_of(folder) in above:
            raise InputError(
                f"{flag} {out}: lies in {folder}, where all that is there is read; give {instead} "
                "elsewhere"
            )


def _refuse_links(out: Path, reads: Reads, flag: str) -> None:
    """Raises InputError where something in `out` is but another name of what is read."""
    read = {found: path for path in reads.all() if (found := identity_of(path))}
    for found in identities_above(out):  # what lies beside `out` may be linked to from there
        read.pop(found, None)
    for each in os.scandir(out):
        path = Path(each.path)
        names: set[Identity] = {found} if (found := identity_of(path)) else set()
        if each.is_symlink():
            names |= identities_above(real_path(path) / "any")
        if same := names & read.keys():
            raise InputError(
                f"{flag} {out}: its {path.name} leads to {read[same.pop()]}, which is read; give "
                f"{NEW_FOLDER}"
            )
