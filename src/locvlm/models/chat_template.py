r"""The text around a question about one picture, as the model's own processor writes it.

before   <|im_start|>user\n<image>\n              the picture; the same for every question
         Where is the dog?
between  <|im_end|>\n<|im_start|>assistant\n      here the model begins to write
lead     (in some templates a space)
         It is located at (4,52,13,63)
after    <|im_end|>                               so the answer ends
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from locvlm.errors import InputError
from locvlm.families import get_family
from locvlm.geometry import Size
from locvlm.io.reading import one_line
from locvlm.models.twin import is_twin
from locvlm.models.video_llava.processor import frames_of
from locvlm.processors import frame_of

MARK = "\x00"  # stands for a text's place in a chat template; no text holds it


@dataclass(frozen=True)
class Chat:
    """One question and its answer are `before + question + between + lead + answer + after`."""

    before: str  # holds the picture's placeholder; of twins, two
    between: str  # what a template adds to let the model answer
    lead: str  # what a template writes before an answer that is already there
    after: str  # ends with the token that ends an answer
    special_tokens: bool = False  # the tokenizer adds its own, such as BOS, at the beginning


def chat_of(processor: Any) -> Chat:
    """The form of a question that the processor's model was tuned on.

    Where the family has no chat template, it is what its processor writes.

    Raises:
        InputError: there is no template, one that writes no image or that no single question can be
            cut out of, or the tokenizer has no token for an image.
    """
    kind = type(processor).__name__
    family = get_family(kind)
    if family.refused:
        raise InputError(f"{kind}: {family.refused}; take another model, such as Qwen3-VL")
    _require_image_token(processor)
    if prompt := family.prompt:
        return Chat(
            _fill(prompt.before, processor),
            _fill(prompt.between, processor),
            _fill(prompt.lead, processor),
            _fill(prompt.after, processor),
        )
    if not processor.chat_template:
        raise InputError(
            f"{kind} has no chat template, so how its model is asked is not known; put the one of "
            "the model into chat_template.jinja in its folder"
        )
    return _of_template(processor)


def given_prefix(processor: Any, chat: Chat) -> tuple[str, str, bool]:
    """What a processor is to be given for `chat.before`, and what it adds to that by itself.

    And whether it is to be let add special tokens.
    """
    prompt = get_family(type(processor).__name__).prompt
    if prompt is None:
        return chat.before, "", chat.special_tokens
    return _fill(prompt.given, processor), chat.between if prompt.adds else "", prompt.starts


def _fill(part: str, processor: Any) -> str:
    """A part of a `Prompt` with the processor's own tokens."""
    bos, eos = processor.tokenizer.bos_token, processor.tokenizer.eos_token
    return part.format(image=getattr(processor, "image_token", ""), bos=bos, eos=eos)


def _of_template(processor: Any) -> Chat:
    text = {"type": "text", "text": MARK}
    images = [{"type": "image"}] * (2 if is_twin(processor) else 1)
    user = {"role": "user", "content": [*images, text]}
    assistant = {"role": "assistant", "content": [text]}
    try:
        prompt = processor.apply_chat_template([user], tokenize=False, add_generation_prompt=True)
        whole = processor.apply_chat_template([user, assistant], tokenize=False)
    except (TemplateError, TypeError) as error:
        reason = one_line(str(error))
        raise InputError(
            f"the chat template of {type(processor).__name__} fails on a question about a picture "
            f"({reason}); correct it"
        ) from error
    if prompt == _ask_without_image(processor, text):
        raise InputError(
            f"the chat template of {type(processor).__name__} writes nothing for an image: it is "
            "that of a language model; put the one of the vision-language model into "
            "chat_template.jinja in the model's folder"
        )
    before, *ends = prompt.split(MARK)
    start, *middle = whole.split(MARK)
    if len(ends) != 1 or len(middle) != 2 or start != before:
        raise InputError(
            f"the chat template of {type(processor).__name__} does not write a question and its "
            "answer once each; LocVLM cannot tell where an answer begins"
        )
    between, before_answer, after = ends[0], middle[0], middle[1]
    # Some templates let the model begin right after "ASSISTANT:", but write a space there
    # themselves; some begin an answer with marks (of thoughts, say) that they later leave out.
    lead = before_answer.removeprefix(between) if before_answer.startswith(between) else ""
    bos = processor.tokenizer.bos_token
    return Chat(
        before,
        between,
        lead,
        # What follows the end of the turn (a line break, say) is never generated. A template
        # without such an end gets the tokenizer's, or no answer would ever end.
        after.rstrip() or processor.tokenizer.eos_token,
        special_tokens=bos is None or not before.startswith(bos),
    )


def _ask_without_image(processor: Any, text: dict[str, str]) -> str:
    user = {"role": "user", "content": [text]}
    asked: str = processor.apply_chat_template([user], tokenize=False, add_generation_prompt=True)
    return asked


def _require_image_token(processor: Any) -> None:
    """Raises InputError where the tokenizer does not know the token that stands for an image."""
    token, tokenizer = getattr(processor, "image_token", None), processor.tokenizer
    if isinstance(token, str) and tokenizer.convert_tokens_to_ids(token) in (
        None,
        tokenizer.unk_token_id,
    ):
        raise InputError(
            f"the tokenizer of {type(processor).__name__} has no token {token!r}, which stands for "
            "an image: it is that of a language model; put the tokenizer files of the "
            "vision-language model into the model's folder"
        )


def control_tokens(processor: Any, chat: Chat) -> list[str]:
    """Tokens that no question or answer may hold: the picture's, and those that part the turns.

    Other special tokens may be words of a dialect, such as `<|box_start|>`.
    """
    tokenizer = processor.tokenizer
    always = {getattr(processor, "image_token", None), tokenizer.bos_token, tokenizer.eos_token}
    around = chat.before + chat.between + chat.after
    parting = {token for token in marks_of(tokenizer) if token in around}
    return sorted(token for token in always | parting if token)


def marks_of(tokenizer: Any) -> set[str]:
    """Tokens that stand for themselves: special ones, and others that were added to the words.

    Those that part the turns need not be special: some processors put others in their place.
    """
    added = (str(token) for token in tokenizer.added_tokens_decoder.values())
    return {*tokenizer.all_special_tokens, *(token for token in added if token.strip())}


def image_tokens(processor: Any) -> int:
    """How many tokens the language model sees per picture, or per clip if it reads clips.

    Line breaks between its rows are not counted, and of twins one.

    Raises:
        InputError: pictures of different shapes give different numbers of tokens.
    """
    columns, rows = patch_grid(processor)
    tokens: int = columns * rows + processor.num_additional_image_tokens
    tokens -= processor.vision_feature_select_strategy == "default"
    return tokens + (frames_of(processor) or 0)


def patch_grid(processor: Any) -> tuple[int, int]:
    """(columns, rows) of patches per picture. Raises InputError as `image_tokens`."""
    width, height = _model_size(processor)
    return width // processor.patch_size, height // processor.patch_size


def _model_size(processor: Any) -> Size:
    """(width, height) in pixels of the one size that all pictures get."""
    shapes = ((640, 640), (640, 480), (480, 640))
    sizes = {frame_of(processor, shape).model for shape in shapes}
    if len(sizes) > 1:
        raise InputError(
            f"{type(processor.image_processor).__name__} gives pictures of different shapes "
            "different sizes; set its size or crop_size to one width and height"
        )
    return sizes.pop()
