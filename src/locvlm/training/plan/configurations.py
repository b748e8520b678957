"""The configuration of the model that a recipe starts from; its weights are not needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from msgspec.structs import replace
from transformers import AutoConfig, LlavaConfig

from locvlm.errors import InputError
from locvlm.models import folders, load
from locvlm.models.encoder_check import count_patches
from locvlm.models.image_tokens import Form, form_of
from locvlm.models.single_linear import settings_of
from locvlm.models.video_llava.processor import frames_of
from locvlm.training.adapters import resolve_lora
from locvlm.training.earlier import read_earlier, result_of
from locvlm.training.recipe import LoraSettings, Parts, Recipe
from locvlm.training.recipe_file import is_recipe

SHAPES = Path(__file__).with_name("shapes.yaml")


def find_configuration(recipe: Recipe) -> tuple[Any, str]:
    """The configuration (of `AutoModelForImageTextToText`), and where it was found.

    Raises:
        InputError: it is in no folder, on no hub in reach, and not among the published shapes.
    """
    if recipe.parts is None:
        return _model_config(recipe.model)
    return _assembled_config(recipe.parts)


def take_over(recipe: Recipe) -> Recipe:
    """A recipe that starts from another one's result, as if it started where that one does.

    What the model itself would say (how it reads images and clips, its coordinates) is taken from
    the other recipe, and from the one that this starts from. Where the model is there already, it
    is what the recipe starts from; other recipes stay as they are.

    Raises:
        InputError: as `read_earlier`.
    """
    if not is_recipe(recipe.model):
        return recipe
    earlier = read_earlier(recipe.model)
    if (folder := result_of(earlier)).is_dir():
        return replace(recipe, model=str(folder))
    earlier = take_over(earlier)
    speaks = recipe if recipe.format or recipe.options else earlier
    tuned = any("lora" in stage.parts or stage.reinforce for stage in earlier.stages.values())
    return replace(
        recipe,
        model=earlier.model,
        parts=earlier.parts,
        format=recipe.format or earlier.format,
        options=speaks.options,
        frames=recipe.frames or earlier.frames,
        image_tokens=recipe.image_tokens or earlier.image_tokens,
        min_pixels=recipe.min_pixels or earlier.min_pixels,
        max_pixels=recipe.max_pixels or earlier.max_pixels,
        whole_images=recipe.whole_images or earlier.whole_images,
        lora=recipe.lora or (planned_lora(earlier) if tuned else None),
    )


def form_read(name: str) -> Form:
    """How a shipped model or that of a folder reads the tokens of a picture; others in `rows`."""
    return form_of(load.read_processor(name)) if _is_here(name) else "rows"


def frames_read(name: str) -> int | None:
    """Of a clip, by a shipped model or that of a folder; None: it reads pictures, or is no such."""
    if not _is_here(name):
        return None
    folder, base = folders.resolve(name)
    if folder != base:
        return folders.frames_read(folder, base)
    return frames_of(load.read_processor(name))


def planned_lora(recipe: Recipe) -> LoraSettings:
    """The low-rank updates of a run, as `resolve_lora`; an adapter on the hub is not looked for."""
    adapter = None
    if _is_here(recipe.model):
        folder, base = folders.resolve(recipe.model)
        adapter = None if folder == base else folder
    return resolve_lora(recipe, adapter)


def published_shapes() -> dict[str, dict[str, Any]]:
    """Published shapes by hub id: `parameters` in all, `config`, and `half` where it is one."""
    shapes: dict[str, dict[str, Any]] = yaml.safe_load(SHAPES.read_text(encoding="utf-8"))
    return shapes


def published_config(name: str) -> Any:
    """The configuration of a published shape, by hub id."""
    settings = dict(published_shapes()[name]["config"])
    return AutoConfig.for_model(settings.pop("model_type"), **settings)


def _model_config(name: str) -> tuple[Any, str]:
    if _is_here(name):
        _, base = folders.resolve(name)
        return _read(str(base)), f"config.json of {name}"
    return _from_hub(name)


def _is_here(name: str) -> bool:
    """Whether a model is shipped or in a folder; "" is none, of a recipe with parts."""
    return name in folders.names() or (name != "" and Path(name).is_dir())


def _from_hub(name: str) -> tuple[Any, str]:
    """From the hub's cache, the published shapes, or the hub: what costs least time first."""
    try:
        return AutoConfig.from_pretrained(name, local_files_only=True), f"cached config of {name}"
    except (OSError, ValueError):  # not cached
        if name in published_shapes():
            return published_config(name), f"published shape of {name}"
    return _read(name), f"config of {name} on the hub"


def _read(name: str) -> Any:
    try:
        return AutoConfig.from_pretrained(name, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{name}: no configuration: it is no folder, the hub does not give it, and it is none "
            f"of the published shapes ({', '.join(published_shapes())})"
        ) from error


def _assembled_config(parts: Parts) -> tuple[Any, str]:
    """As `locvlm.models.assembly` puts two models together."""
    (encoder, where), (language, there) = _part_config(parts.encoder), _part_config(parts.language)
    encoder = getattr(encoder, "vision_config", encoder)
    language.vocab_size += 1  # the picture's token
    config = LlavaConfig(
        vision_config=encoder,
        text_config=language,
        vision_feature_layer=parts.layers if isinstance(parts.layers, int) else list(parts.layers),
        **settings_of(parts.adapter),
        image_seq_length=count_patches(encoder, parts.encoder),
        tie_word_embeddings=bool(language.tie_word_embeddings),
    )
    return config, f"{where}, {there}"


def _part_config(name: str) -> tuple[Any, str]:
    if Path(name).is_dir():
        return _read(name), f"config.json of {name}"
    return _from_hub(name)
