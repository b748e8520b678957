"""An adapter merged into its base, as a folder that other tools open without LocVLM.

adapter ─┐
         ├─ float32 ─► bfloat16 ─► model shards, processor, chat template, generation config,
base ────┘                         model card; and locvlm.json, which only LocVLM reads
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import GenerationConfig, PreTrainedConfig

from locvlm.coordinates import CoordinateFormat
from locvlm.errors import InputError
from locvlm.inference.predictor import MAX_NEW_TOKENS
from locvlm.io.digests import digest_bytes
from locvlm.io.outputs import Reads, check_filled_folder, fill_output_folder, read_mark
from locvlm.models.chat_tokens import ChatTokens
from locvlm.models.digest import digest_model
from locvlm.models.folders import ModelSettings
from locvlm.models.image_tokens import form_of
from locvlm.models.learned_images import learned_by
from locvlm.models.load import Loaded, load_exact
from locvlm.publishing.card import FILE, ModelCardText, render_model_card
from locvlm.publishing.provenance import find_origin
from locvlm.publishing.scores import read_scores
from locvlm.publishing.snippets import resizing_of


def merge(
    name: str,
    out: Path,
    *,
    speech: CoordinateFormat | None = None,
    dtype: str | None = None,
    max_shard_size: str = "5GB",
    scores: Sequence[Path] = (),
    run: Path | None = None,
    known: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> ModelCardText:
    """Write `out`, there complete or not at all; returns its card.

    The generation config is that of `locvlm.inference`: greedy, the same end and the same limit.

    Args:
        name: a shipped model, an adapter's folder, or that of a whole model.
        out: folder to write; an existing one only with `overwrite`.
        speech: the coordinate format it speaks; None: as its files or its family say.
        dtype: of the written weights; None: bfloat16, of a whole model its own.
        max_shard_size: of one file of weights, such as "5GB".
        scores: folders that `locvlm eval` or `score` wrote about this model.
        run: folder of the training run; None: the one that the adapter lies in, if any.
        known: metadata of the card that the files do not tell, such as ``{"license": "mit"}``.
        overwrite: replace the model that `out` holds.

    Raises:
        InputError: `out` may not be written, there is no such model, its weights are broken, or its
            scores are another's.
    """
    origin = find_origin(name, run)
    reads = Reads([*origin.folders, *scores, run])
    work = _describe_work(name, speech, dtype, max_shard_size, scores, run, known)
    _check_out(out, work, overwrite)
    check_filled_folder(out, "merge", reads, work=work, overwrite=overwrite)
    runs = read_scores(scores, of=(name, str(out)))
    loaded = load_exact(name, speech=speech)
    model, processor = loaded.model, loaded.processor
    _check_finite(name, model)
    model.generation_config = _decoding(loaded)
    _tell_size(processor)
    if dtype is None and origin.adapter is not None:
        dtype = "bfloat16"
    if dtype is not None:
        model.to(getattr(torch, dtype))
        _check_finite(f"{name} as {dtype}", model)
    _clean(model.config, model.dtype)
    card = render_model_card(loaded, origin, runs, title=out.resolve().name, known=known or {})
    form = form_of(processor)
    settings = ModelSettings(
        format=loaded.coordinates.name,
        options=loaded.coordinates.options,
        image_tokens=None if form == "rows" else form,
    )
    with fill_output_folder(out, "merge", reads, work=work, overwrite=overwrite) as folder:
        try:
            model.save_pretrained(folder, max_shard_size=max_shard_size)
        except SafetensorError as error:
            raise InputError(f"{out}: the weights cannot be written: {error}") from error
        processor.save_pretrained(folder)
        settings.write(folder)
        if learned := learned_by(name):
            learned.write(folder)
        (folder / FILE).write_text(card.text, encoding="utf-8")
        for weights in folder.glob("*.safetensors"):
            # safetensors keeps them to their owner; a server may be another user
            weights.chmod((folder / FILE).stat().st_mode)
    return card


def _check_out(out: Path, work: Mapping[str, Any], overwrite: bool) -> None:
    """Raises InputError where `out` is to stay as it is; the same work may be written again."""
    if not out.is_dir() or not any(out.iterdir()):
        return
    before = read_mark(out)
    if not overwrite and (before is None or before.work != work):
        raise InputError(f"{out}: exists; give another --out, or --overwrite to replace it")
    if not (out / "config.json").is_file():
        raise InputError(f"{out}: holds no model to overwrite; give another --out")


def _describe_work(name: str, *settings: Any) -> dict[str, Any]:
    """What is merged and how: the same may be written again."""
    try:
        model = digest_model(name)
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be read ({error.strerror})") from None
    return {"model": model[:16], "settings": digest_bytes(repr(settings).encode())[:16]}


def _check_finite(name: str, model: torch.nn.Module) -> None:
    """Raises InputError where nobody could use what would be written."""
    broken = [n for n, weight in model.named_parameters() if not weight.isfinite().all()]
    if broken:
        cure = (
            "choose --dtype bfloat16"
            if model.dtype == torch.float16
            else ("the training that made them diverged: train again with a lower learning rate")
        )
        raise InputError(
            f"{name}: {len(broken)} weights hold numbers that are not finite, such as {broken[0]}; "
            f"{cure}"
        )


def _decoding(loaded: Loaded) -> GenerationConfig:
    """How LocVLM decodes, for tools that read it from the folder."""
    stops = sorted(ChatTokens(loaded.processor).stops(loaded.model))
    old = loaded.model.generation_config
    return GenerationConfig(
        do_sample=False,
        max_new_tokens=MAX_NEW_TOKENS,  # transformers would cut after 20
        bos_token_id=old.bos_token_id,
        eos_token_id=stops,
        pad_token_id=stops[0] if old.pad_token_id is None else old.pad_token_id,
    )


def _tell_size(processor: Any) -> None:
    """The crop's size, also where nothing is cropped: vLLM counts a picture's tokens by it."""
    view, (width, height) = resizing_of(processor)
    if view == "stretched" and not getattr(processor.image_processor, "crop_size", None):
        processor.image_processor.crop_size = {"height": height, "width": width}


def _clean(config: PreTrainedConfig, dtype: torch.dtype) -> None:
    """Of the parts, too: one dtype, and no path of the machine that it was made on."""
    config.dtype = dtype
    config.name_or_path = ""
    for name in config.sub_configs:
        part = getattr(config, name, None)
        if part is not None:  # Nemotron's ears are optional
            _clean(part, dtype)
