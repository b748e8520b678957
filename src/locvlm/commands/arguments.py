"""Arguments that several commands share: their types, their names in the help, their checks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import UseAppendAction, arg

from locvlm.annotations import ReaderName
from locvlm.annotations.form_names import BoxForm
from locvlm.coordinates import CoordinateFormat, get
from locvlm.errors import InputError
from locvlm.geometry import Location, location_from
from locvlm.io.reading import quote
from locvlm.io.yaml_text import parse_yaml

ImageFile = Annotated[Path, arg(metavar="IMAGE|CLIP", help="picture or clip.")]
File = Annotated[Path, arg(metavar="FILE")]
OptionalFile = Annotated[Path | None, arg(metavar="FILE")]
Folder = Annotated[Path, arg(metavar="DIR")]
OptionalFolder = Annotated[Path | None, arg(metavar="DIR")]
Drawing = Annotated[Path | None, arg(metavar="OUT.png")]
Model = Annotated[str, arg(metavar="NAME|DIR")]
OptionalModel = Annotated[str | None, arg(metavar="NAME|DIR")]
ImageModel = Annotated[
    str | None,
    arg(
        metavar="NAME|DIR",
        help="a shipped model or a folder; tiny, and for clips tiny-video.",
    ),
]
DataImages = Annotated[
    Path | None,
    arg(
        metavar="DIR",
        help="folder of the data set's pictures, where it is not the one of the build; some are "
        "compared.",
    ),
]
RecipeImages = Annotated[
    list[Path],
    UseAppendAction,
    arg(
        metavar="DIR",
        help="folder of the data sets' pictures, where it is not the one of their build; once for "
        "all, or once for each. Some are compared.",
    ),
]
Format = Annotated[str | None, arg(metavar="NAME")]
SpokenFormat = Annotated[
    str | None,
    arg(
        metavar="NAME",
        help="how the model writes locations, such as qwen3-vl; if not given as its locvlm.json "
        "says, or its family does.",
    ),
]
Pixels = Annotated[
    int | None,
    arg(
        metavar="N",
        help="bound of the pixels that a picture is scaled to, for Qwen-VL from 2 on, GLM-4V, "
        "SmolVLM and the like; the model's own if not given.",
    ),
]
Temperature = Annotated[
    float,
    arg(
        metavar="T",
        help="draw answers at this temperature, by --seed; the paper's is 0.2. 0: greedy.",
    ),
]
SamplingSeed = Annotated[int, arg(metavar="N", help="of what is drawn; see --temperature.")]
OptionalName = Annotated[str | None, arg(metavar="NAME")]
OptionalUrl = Annotated[str | None, arg(metavar="URL")]
Reader = Annotated[
    ReaderName | None,
    arg(name="from", help="form of the annotations; told from the file if not given."),
]
Boxes = Annotated[BoxForm | None, arg(metavar="FORM")]
EngineName = Annotated[
    Literal["local", "ray"],
    arg(help="ray: on the machines of a Ray cluster, or in Ray's processes here."),
]
Recipe = Annotated[Path, arg(metavar="RECIPE.yaml", help="YAML file with every setting.")]
Task = Annotated[str, arg(metavar="TASK")]
OptionalTask = Annotated[str | None, arg(metavar="TASK")]
Number = Annotated[int, arg(metavar="N")]
OptionalNumber = Annotated[int | None, arg(metavar="N")]
OptionalMinutes = Annotated[float | None, arg(metavar="N")]
Settings = Annotated[list[str], UseAppendAction, arg(metavar="OPTION=VALUE")]
FormatSettings = Annotated[
    list[str],
    UseAppendAction,
    arg(metavar="OPTION=VALUE", help="options of the format, such as bins=224."),
]
RecipeSettings = Annotated[
    list[list[str]],
    UseAppendAction,
    arg(metavar="KEY=VALUE …", help="settings that replace the recipe's."),
]


def check_limit(limit: int | None, what: str) -> None:
    """Raises InputError for a ``--limit`` below 1; `what` is counted."""
    if limit is not None and limit < 1:
        raise InputError(f"--limit must be at least 1 {what}, not {limit}")


def data_setting(data: Path) -> str:
    """What makes a data set that of a recipe: its path as seen from here, not from the recipe."""
    return f"data={json.dumps([str(data.expanduser().absolute())], ensure_ascii=False)}"


def image_settings(images: Sequence[Path]) -> list[str]:
    """What ``--images`` sets of a recipe: paths as seen from here, not from the recipe."""
    paths = [str(folder.expanduser().absolute()) for folder in images]
    return [f"images={json.dumps(paths, ensure_ascii=False)}"] if paths else []


def parse_location(flag: str, text: str) -> Location:
    """A box (``--box x1,y1,x2,y2``) or a point (``--point x,y``), original pixels.

    Raises:
        InputError: not as many finite numbers as the flag takes, or swapped corners.
    """
    syntax = {"--box": "x1,y1,x2,y2", "--point": "x,y"}[flag]
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError as error:
        raise InputError(f"{flag} {text}: not numbers; give {syntax} in pixels") from error
    if len(numbers) != syntax.count(",") + 1:
        raise InputError(f"{flag} {text}: {len(numbers)} numbers; give {syntax} in pixels")
    try:
        return location_from(numbers)
    except ValueError as error:
        raise InputError(
            f"{flag} {text}: {error}; give {syntax} in pixels of the original picture"
        ) from error


def get_format_or_none(name: str | None, settings: Sequence[str] = ()) -> CoordinateFormat | None:
    """The coordinate format of ``--format``; None leaves the choice to the model.

    Raises:
        InputError: as `get_format`, or settings without a format.
    """
    if name is None and settings:
        raise InputError(f"{settings[0]}: an option of which format? give --format NAME too")
    return None if name is None else get_format(name, settings)


def get_format(name: str, settings: Sequence[str]) -> CoordinateFormat:
    """The coordinate format with its options, as ``option=value``.

    Raises:
        InputError: an unknown format or option, or a setting that is no ``option=value``.
    """
    return get(name, **dict(map(parse_setting, settings)))


def parse_setting(text: str) -> tuple[str, Any]:
    """``bins=336`` as a name and a value that is a number where it looks like one.

    Raises InputError where it is no ``option=value``.
    """
    name, _, value = text.partition("=")
    try:
        parsed = parse_yaml(value, "")
    except InputError:
        parsed = None
    if not name or parsed is None:
        raise InputError(f"{quote(text)}: not a setting; give OPTION=VALUE, such as bins=336")
    return name, parsed
