"""What `locvlm tune` is asked to do, as its folder remembers it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from locvlm.errors import InputError
from locvlm.io.outputs import Reads

MINUTES = 60.0  # unless told otherwise
MOST = 7 * 24 * 60.0  # minutes
SHARE = 0.5  # of the time that training takes, at most
HELD_OUT = 0.2  # of the photos, where the data have no split of their own to ask about


class TuneOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tuning. The same options, given again, go on with it."""

    annotations: str  # detection file or folder, or a built data set
    images: str = ""  # folder of the pictures; "": that of the built data set
    model: str = ""  # a shipped name or a folder; "": the recipe's, or tiny
    reader: str = ""  # form of the annotations; "": told from the file
    split: str = ""  # that the questions come from; "": val, else test, else what is held out
    hold_out: float | None = None  # share of the photos; None: HELD_OUT where there is no split
    recipe: str = ""  # file; "": made for the model
    settings: tuple[str, ...] = ()  # key=value, of the recipe
    objectives: tuple[str, ...] = ()  # what is learned; (): what the data allow
    seeds: int = 1  # trainings, each with another seed
    seed: int = 0  # of all that is drawn
    minutes: float = MINUTES  # that it may take, downloads aside
    share: float = SHARE  # of that time, for training, at most
    names: str = ""  # file of words for the categories; "": their own names

    def check(self) -> None:
        """Raise InputError for a number out of range."""
        if not 0 < self.minutes <= MOST:
            raise InputError(f"--minutes {self.minutes:g}: give more than 0 and at most {MOST:g}")
        if self.seeds < 1:
            raise InputError(f"--seeds must be at least 1, not {self.seeds}")
        if self.seed < 0:
            raise InputError(f"--seed must be at least 0, not {self.seed}")
        if self.hold_out is not None and not 0 < self.hold_out < 1:
            raise InputError(
                f"--hold-out {self.hold_out:g}: not a share; give one between 0 and 1, such as 0.2"
            )

    def reads(self) -> Reads:
        """What a tuning reads, and must not write over."""
        model = Path(self.start) if Path(self.start).exists() else None
        others = (path and Path(path) for path in (self.images, self.recipe, self.names))
        return Reads((model, *(path or None for path in others)), (Path(self.annotations),))

    @property
    def start(self) -> str:
        """The model to start from, where no recipe says it."""
        return self.model or "tiny"

    def words(self) -> list[object]:
        """What was typed after ``locvlm tune``, but for the folder; defaults are left out."""
        typed: list[object] = [Path(self.annotations)]
        for field in msgspec.structs.fields(TuneOptions)[1:]:
            value = getattr(self, field.name)
            if value == field.default:
                continue
            if field.name in ("images", "recipe", "names"):
                value = Path(value)
            elif field.name == "objectives":
                value = ",".join(value)
            elif isinstance(value, float):
                value = f"{value:g}"
            several = value if isinstance(value, tuple) else (value,)
            for one in several:
                typed += [_flag(field.name), one]
        return typed

    def differences(self, other: TuneOptions) -> list[str]:
        """The flags in which the two differ, with both values, for people."""
        mine, others = (msgspec.to_builtins(one) for one in (self, other))
        return [
            f"{_flag(name)} {_show(value)}, not {_show(others[name])}"
            for name, value in mine.items()
            if value != others[name]
        ]


def absolute_text(path: Path | None) -> str:
    """A path as an option keeps it, wherever the command is given again from."""
    return "" if path is None else str(path.expanduser().absolute())


def _flag(name: str) -> str:
    flags = {"annotations": "ANNOTATIONS", "reader": "--from", "settings": "--set"}
    return flags.get(name, f"--{name.replace('_', '-')}")


def _show(value: Any) -> str:
    if isinstance(value, list):
        value = ",".join(value)
    if isinstance(value, int | float):
        value = f"{value:g}"
    return "none" if value in ("", None) else f"{value}"
