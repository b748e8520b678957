"""How the tokens of a picture's patches follow one another.

    rows     1 2 3 4 5 6 7 8 9            one run, as LLaVA has it
    breaks   1 2 3 ⏎ 4 5 6 ⏎ 7 8 9        a line break between the rows, as Pixtral has it
    twin     1 2 3 4 5 6 7 8 9 ⏎ 1 4 7 2 5 8 3 6 9      the picture, then the picture turned

A language model knows of a token's place in the text (by RoPE), and so in `rows` of a patch's row,
but hardly of its column. The other two give it a way to that.

`breaks` is a matter of the tokenizer alone: it writes the line breaks where a processor writes the
run. So any tool that opens the model's folder reads its pictures so. `twin` is two pictures, which
whoever asks the model must give.
"""

from __future__ import annotations

import copy
import re
from itertools import groupby
from typing import Any, Literal, TypeAlias

from tokenizers import AddedToken, Regex, Tokenizer, normalizers
from transformers import LlavaProcessor, PreTrainedTokenizerFast

from locvlm.errors import InputError
from locvlm.models.chat_template import image_tokens, patch_grid
from locvlm.models.twin import TwinLlavaProcessor, is_twin
from locvlm.models.video_llava.processor import frames_of

Form: TypeAlias = Literal["rows", "breaks", "twin"]

# Texts that must stay as they are
SAMPLE_TEXTS = (
    "Where is it?",
    " a  b\n\nc\t",
    "Ünï ﬁ ① (4,52,13,63)",
    "USER: <image>\nWhat? ASSISTANT:",
)


def form_of(processor: Any) -> Form:
    """How a model's processor writes the tokens of a picture."""
    if is_twin(processor):
        return "twin"
    return "breaks" if _has_line_breaks(processor) else "rows"


def apply_form(processor: Any, form: Form | None) -> Any:
    """The processor for this form; None: as it is.

    Raises:
        InputError: it has another form already, or is not that of a LLaVA of pictures of one square
            size.
    """
    known = form_of(processor)
    if form is None or form == known:
        return processor
    if known != "rows":
        raise InputError(
            f"image_tokens: {form}: the model has learned with {known}; leave image_tokens out, or "
            "start from a model without them"
        )
    columns = _columns(processor, form)
    return _make_twin(processor) if form == "twin" else _add_line_breaks(processor, columns)


def _columns(processor: Any, form: Form) -> int:
    """Patches of a row. Raises InputError where there is no form to choose."""
    kind = type(processor).__name__
    if not isinstance(processor, LlavaProcessor) or frames_of(processor):
        raise InputError(
            f"image_tokens: {form}: a {kind} has a form of its own; only a LLaVA that reads "
            "pictures alone can be given another"
        )
    columns, rows = patch_grid(processor)
    if columns != rows or image_tokens(processor) != columns * rows:
        raise InputError(
            f"image_tokens: {form}: is for pictures that are a square of patches, not "
            f"{image_tokens(processor)} tokens for {columns} x {rows} patches"
        )
    return columns


def _make_twin(processor: LlavaProcessor) -> TwinLlavaProcessor:
    twin = copy.copy(processor)
    twin.__class__ = TwinLlavaProcessor
    return twin  # type: ignore[return-value]


def _add_line_breaks(processor: LlavaProcessor, columns: int) -> LlavaProcessor:
    tokenizer, image = processor.tokenizer, processor.image_token
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise InputError(
            f"image_tokens: breaks: a {type(tokenizer).__name__} cannot write line breaks of its "
            "own; the model needs a tokenizer.json"
        )
    broken = copy.copy(processor)
    inner = copy.deepcopy(tokenizer.backend_tokenizer)
    # the line break after the last row is the chat template's
    row = Regex(f"(?:{re.escape(image)}){{{columns}}}(?={re.escape(image)})")
    breaks = normalizers.Replace(row, image * columns + "\n")
    before = inner.normalizer
    inner.normalizer = normalizers.Sequence([breaks, before]) if before else breaks
    # else the picture's tokens would be cut out of a text before it is normalized
    inner.add_special_tokens([AddedToken(image, normalized=True, special=True)])
    broken.tokenizer = _plain(tokenizer, inner)
    changed = [text for text in SAMPLE_TEXTS if _ids(broken, text) != _ids(processor, text)]
    if not _has_line_breaks(broken) or changed:
        raise InputError(
            f"image_tokens: breaks: the model's tokenizer ({type(before).__name__}) does not write "
            "line breaks between the rows of patches without changing other texts; choose twin"
        )
    return broken


def _plain(tokenizer: PreTrainedTokenizerFast, inner: Tokenizer) -> PreTrainedTokenizerFast:
    """`inner`, told what `tokenizer` was; of a class that reads all of tokenizer.json.

    Llama's own class would make its normalizer anew, without line breaks.
    """
    plain = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        **tokenizer.special_tokens_map,
        extra_special_tokens=tokenizer.extra_special_tokens,
        model_max_length=tokenizer.model_max_length,
        padding_side=tokenizer.padding_side,
        truncation_side=tokenizer.truncation_side,
        clean_up_tokenization_spaces=tokenizer.clean_up_tokenization_spaces,
    )
    plain.chat_template = tokenizer.chat_template
    return plain


def _has_line_breaks(processor: Any) -> bool:
    """Whether each row of a picture ends with a line break, but for the last."""
    if type(processor) is not LlavaProcessor:
        return False
    try:
        columns, rows = patch_grid(processor)
    except InputError:
        return False
    ids = _ids(processor, processor.image_token * (columns * rows))
    runs = [
        (image, list(run))
        for image, run in groupby(ids, lambda token: token == processor.image_token_id)
    ]
    lengths = [len(run) for image, run in runs if image]
    between = {processor.tokenizer.decode(run) for image, run in runs[1:] if not image}
    return rows > 1 and lengths == [columns] * rows and between == {"\n"}


def _ids(processor: Any, text: str) -> list[int]:
    ids: list[int] = processor.tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids
