"""Where the files of a model lie, and `locvlm.json` among them.

What LocVLM trains is small: LoRA and the projector, as a PEFT folder. A file `locvlm.json` beside
it says what the weights alone do not: the coordinate format the model speaks, and its base.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any

import msgspec

from locvlm import coordinates
from locvlm.coordinates import CoordinateFormat
from locvlm.errors import InputError, first_line
from locvlm.io.json_rows import write_json
from locvlm.io.own_files import decode_own
from locvlm.models import tiny
from locvlm.models.foreign_adapters import refuse_unmergeable, refuse_weights_beside
from locvlm.models.image_tokens import Form
from locvlm.models.pixel_limits import PixelLimits

WEIGHTS = Path(__file__).parents[1] / "weights"  # the shipped adapters, a folder each
UNTRAINED = "tiny-base"  # LocVLM-Tiny before any training
ADAPTER = ("adapter_config.json", "adapter_model.safetensors")
_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_FILES = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt", "learned_images.parquet"]


class ModelSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`locvlm.json`, which lies beside the weights."""

    format: str = "ivb"  # name of the coordinate format
    options: dict[str, Any] = {}  # the format's, such as {"bins": 224}
    base: str | None = None  # of an adapter: "tiny", or a folder, absolute or relative to this one
    frames: Annotated[int, msgspec.Meta(ge=1)] | None = None  # of a clip, that an adapter reads
    image_tokens: Form | None = None  # how those of a picture are written, if not in `rows`

    min_pixels: Annotated[int, msgspec.Meta(ge=1)] | None = (
        None  # that an adapter sees a picture in
    )
    max_pixels: Annotated[int, msgspec.Meta(ge=1)] | None = None
    whole_images: bool = False  # an adapter sees whole pictures, which its base's processor crops

    @property
    def pixels(self) -> PixelLimits:
        """How large pictures are seen."""
        return PixelLimits(self.min_pixels, self.max_pixels)

    @classmethod
    def read(cls, folder: Path) -> ModelSettings:
        """From ``folder/locvlm.json``. Raises InputError where it is missing or malformed."""
        path = folder / "locvlm.json"
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise InputError(
                f"{path}: missing; it must name the coordinate format and the adapter's base"
            ) from error
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error
        return decode_own(data, cls, str(path), "a model's locvlm.json")

    def write(self, folder: Path) -> None:
        """To ``folder/locvlm.json``."""
        settings = msgspec.structs.asdict(self).items()
        write_json(folder / "locvlm.json", {name: value for name, value in settings if value})

    def coordinates(self) -> CoordinateFormat:
        """The format. Raises InputError where it or an option is unknown."""
        return coordinates.get(self.format, **self.options)


def format_for(model: str | Path, name: str) -> CoordinateFormat:
    """The coordinate format called `name`, with the options with which the model learned it.

    Args:
        model: a shipped name or a folder; one that speaks another format says nothing of them.
        name: of the format.

    Raises:
        InputError: there is no such model or format.
    """
    folder, _ = resolve(model)
    if (folder / "locvlm.json").is_file():
        own = ModelSettings.read(folder).coordinates()
        if own.name == name:
            return own
    return coordinates.get(name)


def names() -> list[str]:
    """The models that come with LocVLM."""
    shipped = sorted(path.parent.name for path in WEIGHTS.glob(f"*/{ADAPTER[0]}"))
    return [*shipped, UNTRAINED]


def user_folders(*names_: str | Path | None) -> list[Path]:
    """Those of the models that are folders of the user's, to which nothing may be written."""
    given = [Path(name) for name in names_ if name is not None and str(name) not in names()]
    return [folder for folder in given if folder.is_dir()]


def frames_read(folder: Path, base: Path) -> int | None:
    """Of a clip, by an adapter of a LLaVA; None: what it reads is said by the base itself."""
    return None if folder == base else read_settings(folder).frames


def resolve(name: str | Path) -> tuple[Path, Path]:
    """The folder of a model's own files, and that of its base: the same for a whole model."""
    if name == UNTRAINED:
        return tiny.base_folder(), tiny.base_folder()
    name = fetch_from_hub(name)
    if (Path(name) / "config.json").is_file() and name not in names() and not _is_adapter(name):
        return Path(name), Path(name)
    folder = adapter_folder(name)
    refuse_weights_beside(folder)
    refuse_unmergeable(folder)
    return folder, _base_folder(read_settings(folder).base, folder)


def _is_adapter(folder: str | Path) -> bool:
    """Some trainers write the base's `config.json` beside an adapter."""
    here = Path(folder)
    return (here / ADAPTER[0]).is_file() and not any(here.glob("model*.safetensors"))


def read_settings(folder: Path) -> ModelSettings:
    """Those of an adapter: `locvlm.json`, or of another trainer's the base that PEFT names.

    Raises:
        InputError: neither can be read.
    """
    path = folder / ADAPTER[0]
    if (folder / "locvlm.json").is_file():
        return ModelSettings.read(folder)
    try:
        base = json.loads(path.read_bytes()).get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: no settings of an adapter ({first_line(error)})") from None
    if not base or not isinstance(base, str):
        raise InputError(
            f"{path}: names no base, and there is no locvlm.json; set base_model_name_or_path to "
            "the folder or hub id of the model that it was trained on"
        )
    # PEFT takes it as seen from where it is run; a folder that was moved, from itself
    return ModelSettings(base=base if (folder / base).is_dir() else _as_seen_here(base))


def _as_seen_here(base: str) -> str:
    return str(Path(base).resolve()) if Path(base).is_dir() else base


def hub_id(name: str | None, folder: Path) -> str | None:
    """`name` where it is that of a model on the hub, and not a folder relative to `folder`."""
    return name if name and _HUB_ID.fullmatch(name) and not (folder / name).is_dir() else None


def resolve_base_name(folder: Path) -> str:
    """The base of an adapter, as one in another folder would name it."""
    base = read_settings(folder).base or ""
    # a folder may be named as seen from the adapter's
    is_folder = base not in ("", "tiny") and not hub_id(base, folder)
    return str((folder / base).resolve()) if is_folder else base


def fetch_from_hub(name: str | Path) -> str | Path:
    """The folder of a model on the hub, from its cache; other names as they are."""
    if not isinstance(name, str) or not _HUB_ID.fullmatch(name) or Path(name).is_dir():
        return name
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return snapshot_download(name, allow_patterns=_FILES)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise InputError(
            f"no model {name!r}: there is no such folder, and the hub does not give it "
            f"({first_line(error)})"
        ) from error


def adapter_folder(name: str | Path) -> Path:
    """The folder of a shipped adapter, or `name` itself. Raises InputError if it holds none."""
    folder = WEIGHTS / name if name in names() else Path(name)
    if not (folder / ADAPTER[0]).is_file():
        raise InputError(
            f"no model {str(name)!r}: it is neither one of {', '.join(names())}, nor a folder "
            f"with {ADAPTER[0]} or config.json"
        )
    if not (folder / ADAPTER[1]).is_file():
        raise InputError(f"{folder / ADAPTER[1]}: missing; the adapter's weights must lie there")
    return folder


def _base_folder(base: str | None, folder: Path) -> Path:
    if base is None:
        raise InputError(f"{folder / 'locvlm.json'}: names no base; add it")
    if base == "tiny":
        return tiny.base_folder()
    if hub_id(base, folder):
        return Path(fetch_from_hub(base))
    path = (folder / base).resolve()  # an absolute path stays itself
    if not (path / "config.json").is_file():
        named_in = "locvlm.json" if (folder / "locvlm.json").is_file() else ADAPTER[0]
        raise InputError(
            f"{folder / named_in}: base {base!r} is no model folder here; correct it there"
        )
    return path
