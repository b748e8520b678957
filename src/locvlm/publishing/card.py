"""A model card: what is known of a model, how to ask it, and what is not known.

Metadata and form are the Hub's (https://huggingface.co/docs/hub/model-cards). Nothing is guessed,
and no path of the machine gets into it: of files and folders their last name alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, ModelCardData

from locvlm.compat.image_processors import reads_videos
from locvlm.coordinates import CoordinateFormat
from locvlm.coordinates.base import Kind
from locvlm.errors import InputError
from locvlm.geometry import Frame
from locvlm.models.folders import UNTRAINED
from locvlm.models.image_tokens import form_of
from locvlm.models.load import Loaded
from locvlm.models.tiny import LANGUAGE_ON_HUB
from locvlm.models.twin import is_twin
from locvlm.models.video_llava.processor import frames_of
from locvlm.publishing import scores, snippets
from locvlm.publishing.card_training import describe_training
from locvlm.publishing.provenance import ModelOrigin
from locvlm.publishing.scores import PIPELINE, TaskScores
from locvlm.shown.markdown import escape_markdown, format_rows, mark_code
from locvlm.version import __version__

FILE = "README.md"
CLIP_PIPELINE = "video-text-to-text"
MARK = "<!-- written by locvlm merge -->"  # such a card is made anew, any other is quoted
# Metadata that only people know; `merge --card` takes them.
FIELDS = ("license", "license_name", "license_link", "base_model", "datasets", "language")
FORMS = {
    "breaks": "with a line break between the rows of patches, which its tokenizer writes",
    "twin": "twice: a question shows the picture, and then the picture turned about its diagonal "
    "(x and y exchanged). Given one picture alone, it answers what it has not learned to",
}
# vLLM's own LLaVA repeats the picture's token without asking the tokenizer
VLLM_WITH_BREAKS = (
    "vLLM reads its pictures as it has learned only from version 0.32 and with "
    "`--model-impl transformers`; else the line breaks are lost, and no error says so."
)
ASKED_FOR = ("license", "base_model", "datasets", "language")


@dataclass(frozen=True)
class ModelCardText:
    """The text of ``README.md``, and which of the Hub's fields it could not fill."""

    text: str
    unknown: tuple[str, ...]


def render_model_card(
    loaded: Loaded,
    origin: ModelOrigin,
    runs: Sequence[TaskScores],
    *,
    title: str,
    known: Mapping[str, Any],
) -> ModelCardText:
    """The card of a plain Hugging Face folder.

    Args:
        loaded: the merged model, in the dtype that is saved.
        origin: where it comes from.
        runs: its scores.
        title: the model's name.
        known: metadata by `FIELDS`, before those of the model's own card.

    Raises:
        InputError: `known` has another field, or the model's own card is malformed.
    """
    own = _own_card(origin.folders[0] / FILE)
    fields = {**_on_hub(origin), **_metadata(own), **_check_fields(known)}
    unknown = tuple(name for name in ASKED_FOR if name not in fields)
    data = ModelCardData(
        **{"license": "unknown", **fields},
        library_name="transformers",
        pipeline_tag=PIPELINE if frames_of(loaded.processor) is None else CLIP_PIPELINE,
        tags=[loaded.model.config.model_type, "locvlm", "grounding", "spatial-reasoning"],
        model_name=title,
        eval_results=list(scores.eval_results(runs)) or None,
    )
    sections = [
        MARK,
        f"# {escape_markdown(title)}\n\n" + _first_words(loaded, origin),
        "## The model\n\n" + _facts(loaded, origin),
        "## Ask it\n\n" + _asking(loaded, title),
        "## Where things are\n\n" + _places(loaded),
        "## Training\n\n" + (describe_training(origin.run) if origin.run else "Not known here."),
        "## Scores\n\n" + (_scores(runs) if runs else "None were given."),
    ]
    if own is not None and MARK not in own.content:
        sections.append("## Its own card\n\n" + _quote_card(own.text))
    if unknown:
        lines = (f"- {escape_markdown(name)}" for name in unknown)
        sections.append("## Not known\n\n" + "\n".join(lines))
    return ModelCardText(f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(sections) + "\n", unknown)


def _own_card(path: Path) -> ModelCard | None:
    if not path.is_file():
        return None
    try:
        return ModelCard(path.read_text(encoding="utf-8"), ignore_metadata_errors=True)
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: no model card ({error}); correct or remove it") from None


def _metadata(own: ModelCard | None) -> dict[str, Any]:
    """What the model's own card tells; "unknown" is no news."""
    metadata = own.data.to_dict() if own is not None else {}
    return {name: metadata[name] for name in FIELDS if metadata.get(name, "unknown") != "unknown"}


def _on_hub(origin: ModelOrigin) -> dict[str, Any]:
    """LocVLM-Tiny speaks with a language model that is on the Hub; other bases may be there."""
    base = LANGUAGE_ON_HUB if origin.base == UNTRAINED else origin.base
    return {"base_model": base} if "/" in base else {}


def _check_fields(known: Mapping[str, Any]) -> dict[str, Any]:
    for name in known:
        if name not in FIELDS:
            raise InputError(f"--card {name}: no field of the card; known: {', '.join(FIELDS)}")
    return dict(known)


def _first_words(loaded: Loaded, origin: ModelOrigin) -> str:
    kind = f"A `{type(loaded.model).__name__}` for transformers 5 and newer"
    if origin.adapter is None:
        return f"{kind}; this card was written by LocVLM {__version__}."
    return (
        f"{kind}: an adapter and its base, merged in float32 by LocVLM {__version__}, "
        f"saved in {_dtype(loaded)}."
    )


def _facts(loaded: Loaded, origin: ModelOrigin) -> str:
    config = loaded.model.config
    inner = {name: getattr(config, name, None) for name in config.sub_configs}
    parts = {name: part.model_type for name, part in inner.items() if part is not None}
    rows = {
        "parameters": f"{loaded.model.num_parameters():,} ({_dtype(loaded)})",
        **{name.removesuffix("_config"): mark_code(kind) for name, kind in parts.items()},
        "picture": _describe_view(loaded),
        "coordinates": _format(loaded.coordinates).replace("|", r"\|"),
    }
    if (form := form_of(loaded.processor)) != "rows":
        rows["tokens of a picture"] = FORMS[form]
    if frames := frames_of(loaded.processor):
        rows["clip"] = (
            f"{frames} frames, uniform in time, as {frames} tokens and those of a picture"
        )
    if origin.adapter is not None:
        lora = origin.adapter
        rows["base"] = mark_code(origin.base)
        kind = escape_markdown(lora.peft_type)
        rows["adapter"] = f"{kind}, rank {lora.r}, alpha {lora.lora_alpha:g}"
        if lora.modules_to_save:
            rows["trained in full"] = ", ".join(map(mark_code, lora.modules_to_save))
    return format_rows(("", ""), list(rows.items()))


def _asking(loaded: Loaded, title: str) -> str:
    title = json.dumps(title, ensure_ascii=False)[1:-1]  # inside quotes of Python
    question = snippets.locate_question(loaded.coordinates)
    clips = frames_of(loaded.processor) is not None
    plain = (snippets.ASK_CLIP if clips else snippets.ASK).format(
        title=title,
        dtype=_dtype(loaded),
        question=question,
        words="<" not in question,  # else special tokens may be a part of a place
        **snippets.reading(reads_videos(loaded.processor)),
        pictures=snippets.TWO if is_twin(loaded.processor) else snippets.ONE,
    )
    file = "street.mp4" if clips else "street.jpg"
    ours = snippets.ASK_LOCVLM.format(title=title, question=question, file=file)
    parts = [
        _code(plain),
        "Decoding is greedy (`generation_config.json`). With LocVLM:",
        _code(ours),
    ]
    if not clips:
        both = ", and the picture and its turned copy" if is_twin(loaded.processor) else ""
        parts.append(f"As a server: `transformers serve`, with `temperature` 0 in a request{both}.")
        if form_of(loaded.processor) == "breaks":
            parts.append(VLLM_WITH_BREAKS)
    return "\n\n".join(parts)


def _places(loaded: Loaded) -> str:
    coordinate_format, processor = loaded.coordinates, loaded.processor
    view, _ = snippets.resizing_of(processor)
    parts = [
        f"{_describe_view(loaded).capitalize()}. "
        f"An answer writes places as {_format(coordinate_format)}."
    ]
    parser = snippets.plain_parser(coordinate_format, view)
    if parser is not None:
        frame = coordinate_format.frame_on(processor, snippets.EXAMPLE_SIZE)
        text, pixels = snippets.encode_example(coordinate_format, frame)
        width, height = snippets.EXAMPLE_SIZE
        parts.append(
            f"In pixels of your own {width} x {height} picture (as displayed: turned as its EXIF "
            f"orientation says), `{text}` is {pixels}. In a few lines of Python:\n\n"
            + _code(parser)
        )
    options = "".join(f", {name}={value!r}" for name, value in coordinate_format.options.items())
    ours = snippets.PARSE_LOCVLM.format(format=f'"{coordinate_format.name}"{options}')
    parts.append("With LocVLM, which also counts what is clipped or malformed:\n\n" + _code(ours))
    return "\n\n".join(parts)


def _describe_view(loaded: Loaded) -> str:
    view, (width, height) = snippets.resizing_of(loaded.processor)
    return {
        "stretched": f"all of the picture, stretched to {width} x {height} pixels",
        "padded": f"the picture in the middle of a square, resized to {width} x {height} pixels",
        "other": "what its processor makes of the picture",
    }[view]


def _format(coordinate_format: CoordinateFormat) -> str:
    options = ", ".join(f"{name} {value}" for name, value in coordinate_format.options.items())
    named = f"`{coordinate_format.name}`" + (f" ({options})" if options else "")
    forms = " or ".join(f"`{_form(coordinate_format, kind)}`" for kind in coordinate_format.kinds)
    edge = snippets.edge_of(coordinate_format)
    if edge is not None:
        seen = "the picture" if coordinate_format.relative_to == "image" else "what the model sees"
        most, _ = coordinate_format.largest(Frame.identity(snippets.EXAMPLE_SIZE))
        end = f"; none is above {most:g}" if most < edge else ""
        return (
            f"{named}: {forms}, from 0 at the left and top edge to {edge:g} at the right and "
            f"bottom edge of {seen}{end}"
        )
    there = Frame.resize(snippets.EXAMPLE_SIZE, (14, 28))  # the size of no scale
    if coordinate_format.extent(there) == there.model:
        return f"{named}: {forms}, in pixels of what the model sees"
    return named


def _form(coordinate_format: CoordinateFormat, kind: Kind) -> str:
    """As a prompt describes it, without the paper's word for the kind."""
    return coordinate_format.repr_of(kind).removesuffix(" bbox").removesuffix(" point")


def _scores(runs: Sequence[TaskScores]) -> str:
    return f"{scores.scores_table(runs)}\n\n{scores.scores_remarks(runs)}"


def _quote_card(text: str) -> str:
    """Without its title, its headings one level down."""
    lines = text.strip().splitlines()
    if lines and lines[0].startswith("# "):
        lines = lines[1:]
    inside, demoted = False, []
    for line in lines:
        inside ^= line.startswith("```")  # a comment in code is no heading
        demoted.append(f"#{line}" if line.startswith("#") and not inside else line)
    return "\n".join(demoted).strip()


def _dtype(loaded: Loaded) -> str:
    return str(loaded.model.dtype).removeprefix("torch.")


def _code(text: str) -> str:
    return f"```python\n{text}```"
