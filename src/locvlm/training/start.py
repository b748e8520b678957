"""What a run starts from: a model by name, folder or hub id, or a LLaVA put together from two."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, PreTrainedModel, ProcessorMixin, set_seed

from locvlm import coordinates
from locvlm.coordinates import CoordinateFormat
from locvlm.errors import InputError
from locvlm.models import folders, load
from locvlm.models.assembly import assemble
from locvlm.models.image_token_check import check_image_token
from locvlm.models.image_tokens import apply_form
from locvlm.models.parts import ADAPTERS, ENCODERS
from locvlm.models.pixel_limits import PixelLimits
from locvlm.models.whole_images import show_whole
from locvlm.runtime.precision import DTYPES, choose_precision
from locvlm.training.recipe import Recipe

# Not in 4 bits: the output layer, the adapter, which is trained, and the encoder, which is small
_WHOLE = ["lm_head", *ADAPTERS, *ENCODERS]


@dataclass(frozen=True)
class Start:
    """A model before a run, and what is needed to train and save it."""

    model: PreTrainedModel
    processor: ProcessorMixin
    coordinates: CoordinateFormat
    base: str  # for locvlm.json: "tiny", a hub id or a folder
    adapter: Path | None = None  # of an earlier run, to go on with
    dtype: torch.dtype = torch.bfloat16  # of what is not trained
    saved: torch.dtype = torch.bfloat16  # of a whole model in a folder
    pixels: PixelLimits = field(default_factory=PixelLimits)  # of a picture, as the model sees it
    whole_images: bool = False  # shown to a model whose own processor crops
    learned: Path | None = None  # the run's record of what it learns from (`training.learned`)


def load_start(recipe: Recipe) -> Start:
    """The model that a recipe starts from, in what is computed fast here (or as it says).

    Raises:
        InputError: there is no such model, or it cannot be quantized here.
    """
    dtype = choose_precision(recipe.precision).dtype
    if recipe.parts is not None:
        parts = recipe.parts
        set_seed(recipe.seed)  # of the adapter's first values
        saved = saved_dtype(recipe)
        model, processor = assemble(
            parts.encoder, parts.language, adapter=parts.adapter, layers=parts.layers, dtype=saved
        )
        model = model.to(dtype)  # rounded as it is saved, whatever is computed in
        processor = apply_form(processor, recipe.image_tokens or None)
        processor = show_as_told(recipe, processor)
        coordinate_format = resolve_format(recipe, coordinates.get("ivb"))
        return Start(model, processor, coordinate_format, "", dtype=dtype, saved=saved)
    folder, base = folders.resolve(recipe.model)
    frames = recipe.frames or folders.frames_read(folder, base)
    processor, coordinate_format = load.load_processor(
        recipe.model,
        recipe.frames or None,
        recipe.image_tokens or None,
        given_format(recipe),
    )
    pixels = pixels_of(recipe)
    processor = show_as_told(recipe, processor)
    whole = recipe.whole_images
    if folder != base and (folder / "locvlm.json").is_file():
        settings = folders.ModelSettings.read(folder)
        pixels, whole = pixels.over(settings.pixels), whole or settings.whole_images
    options = _quantization_options(dtype) if recipe.quantize else {}
    model = load.load_whole(base, dtype, clips=frames is not None, **options)
    check_image_token(model, processor, base)
    adapter = None if folder == base else folder
    base_name = _base_name(recipe, folder)
    saved = saved_dtype(recipe, base)
    return Start(
        model,
        processor,
        pixels.told_by(resolve_format(recipe, coordinate_format), processor),
        base_name,
        adapter,
        dtype,
        saved,
        pixels,
        whole,
    )


def pixels_of(recipe: Recipe) -> PixelLimits:
    """How large pictures are seen, where the recipe says."""
    return PixelLimits(recipe.min_pixels or None, recipe.max_pixels or None)


def show_as_told(recipe: Recipe, processor: Any) -> Any:
    """The processor, showing pictures whole and as large as the recipe says.

    Raises InputError where it has no such settings.
    """
    processor = pixels_of(recipe).apply(processor)
    if not recipe.whole_images:
        return processor
    try:
        return show_whole(processor)
    except InputError as error:
        raise InputError(f"{error}; leave it out of the recipe") from error


def saved_dtype(recipe: Recipe, base: Path | None = None) -> torch.dtype:
    """As `precision` says; `auto` gives the same on any computer: 16 bits, those of the base."""
    if recipe.precision != "auto":
        return DTYPES[recipe.precision]
    theirs = base and AutoConfig.from_pretrained(base, local_files_only=True).dtype
    return torch.float16 if theirs == torch.float16 else torch.bfloat16


def given_format(recipe: Recipe) -> CoordinateFormat | None:
    """That of the recipe itself: it needs no default of the model's, which not every model has."""
    return coordinates.get(recipe.format, **recipe.options) if recipe.format else None


def resolve_format(recipe: Recipe, coordinate_format: CoordinateFormat) -> CoordinateFormat:
    """The recipe's format; without one, or with its options alone, that of the model."""
    if given := given_format(recipe):
        return given
    return (
        coordinates.get(coordinate_format.name, **recipe.options)
        if recipe.options
        else coordinate_format
    )


def _base_name(recipe: Recipe, folder: Path) -> str:
    """As `locvlm.json` names the base of an adapter."""
    if recipe.model == folders.UNTRAINED:
        return "tiny"
    if not (folder / folders.ADAPTER[0]).is_file():
        return recipe.model
    return folders.resolve_base_name(folder)


def _quantization_options(dtype: torch.dtype) -> dict[str, Any]:
    """The settings of QLoRA (arXiv 2305.14314)."""
    try:
        import bitsandbytes  # noqa: F401
    except ModuleNotFoundError:
        raise InputError(
            "quantize: 4bit needs bitsandbytes, which runs on NVIDIA GPUs; pip install bitsandbytes"
        ) from None
    from transformers import BitsAndBytesConfig

    settings = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        llm_int8_skip_modules=_WHOLE,
    )
    return {"quantization_config": settings}
