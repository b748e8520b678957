"""How long the sequences of a stage are: what a picture and its questions come to in tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from locvlm.errors import InputError
from locvlm.families import get_family
from locvlm.geometry import Size
from locvlm.models.image_tokens import Form
from locvlm.training.data.packed_rows import should_pack
from locvlm.training.plan.configurations import form_read, frames_read
from locvlm.training.plan.turns import mean_turn
from locvlm.training.plan.visits import VisitLengths
from locvlm.training.recipe import Recipe, Stage

DEFAULT_SIZE = (640, 480)  # (width, height) in pixels of the picture that is planned with
TEXT = 8  # tokens of the chat template around a picture


@dataclass(frozen=True)
class ImageCost:
    """What becomes of one picture or clip."""

    tokens: int  # that the language model reads
    patches: int  # that the encoder works on
    pixels: tuple[int, ...]  # shape of the encoder's input
    breaks: int = 0  # line breaks among the tokens
    pooled: bool = False  # what is read of frames are means


@dataclass(frozen=True)
class Sequences:
    """One forward pass of one device."""

    image: ImageCost
    images: int
    questions: int  # per picture
    asked: int  # tokens of a question
    learned: int  # tokens of an answer
    packed: bool  # a picture and its questions are one row; else a row per question

    @property
    def prefix(self) -> int:
        """Tokens before a question."""
        return self.image.tokens + TEXT

    @property
    def rows(self) -> int:
        """Sequences that the language model reads."""
        return self.images if self.packed else self.images * self.questions

    @property
    def length(self) -> int:
        """Tokens of a row."""
        turns = self.questions if self.packed else 1
        return self.prefix + turns * (self.asked + self.learned)

    @property
    def logits(self) -> int:
        """Logits per row; a padded row has one more, with no next token to it."""
        return self.questions * self.learned if self.packed else self.learned + 1


def plan_sequences(
    config: Any, recipe: Recipe, stage: Stage, visit: VisitLengths | None = None
) -> Sequences:
    """What a forward pass of a stage reads.

    Args:
        config: of the model.
        recipe: of the run.
        stage: one of its own.
        visit: that all are taken to be like; None: a picture of `DEFAULT_SIZE` with all the
            questions that the stage asks, of mean lengths.

    Raises:
        InputError: as `image_cost` and `should_pack`.
    """
    batch = recipe.batch_of(stage)
    one_row = should_pack(config.model_type, recipe) and stage.trains != "naming"
    if visit is None:
        questions = min(sum(stage.questions.values()), stage.max_questions)
        visit = VisitLengths(DEFAULT_SIZE, questions, *_mean_turn(stage))
    cost = image_cost(config, visit.size)
    if frames := recipe.frames or frames_read(recipe.model):
        cost = _pool_frames(cost, frames)
    elif stage.trains != "naming":  # which is for patches alone
        cost = _apply_form(cost, recipe.image_tokens or form_read(recipe.model), config.model_type)
    return Sequences(cost, batch, visit.questions, visit.asked, visit.learned, packed=one_row)


def _mean_turn(stage: Stage) -> tuple[int, int]:
    """Mean tokens of the stage's questions and of their answers."""
    count = sum(stage.questions.values())
    if not count:
        return (0, 0)
    turns = [(mean_turn(name), n) for name, n in stage.questions.items()]
    question, answer = (math.ceil(sum(t[i] * n for t, n in turns) / count) for i in (0, 1))
    return question, answer


def image_cost(config: Any, size: Size = DEFAULT_SIZE) -> ImageCost:
    """What becomes of a picture of a (width, height) in pixels.

    Raises:
        InputError: a family whose pictures are not known here.
    """
    family = get_family(config.model_type)
    if family.image_tokens == "native":
        return _native_cost(config.vision_config, size)
    if family.image_tokens == "tiles":
        return _tiled_cost(config, config.vision_config, size, family.tiles)
    if family.image_tokens == "square":
        return _square_cost(config, config.vision_config)
    raise InputError(
        f"how many tokens a picture is to a {config.model_type} is not known here; plan knows "
        "LLaVA, SmolVLM, Idefics3 and Qwen-VL"
    )


def fixed_tokens(config: Any) -> int:
    """Tokens of any picture, before line breaks and copies; 0 where its size decides."""
    square = get_family(config.model_type).image_tokens == "square"
    return config.image_seq_length if square else 0


def _square_cost(config: Any, vision: Any) -> ImageCost:
    """LLaVA: every picture a square."""
    tokens = config.image_seq_length
    side = math.isqrt(tokens) * vision.patch_size
    return ImageCost(tokens, tokens + 1, (1, 3, side, side))


def _pool_frames(frame: ImageCost, count: int) -> ImageCost:
    """A clip: all frames pass the encoder, and the language model reads their means."""
    pixels = (count, *frame.pixels[1:])
    return ImageCost(count + frame.tokens, count * frame.patches, pixels, pooled=True)


def _apply_form(image: ImageCost, form: Form, kind: str) -> ImageCost:
    """With the tokens of a picture in this form. Raises InputError for others than LLaVA."""
    if form == "rows":
        return image
    if get_family(kind).image_tokens != "square":
        raise InputError(f"image_tokens: {form}: a {kind} has a form of its own; leave it out")
    if form == "breaks":
        breaks = math.isqrt(image.tokens) - 1
        return replace(image, tokens=image.tokens + breaks, breaks=breaks)
    pixels = (2, *image.pixels[1:])
    return ImageCost(2 * image.tokens + 1, 2 * image.patches, pixels, breaks=1)


def _tiled_cost(config: Any, vision: Any, size: Size, along: int) -> ImageCost:
    """SmolVLM: tiles of the encoder's own size, so many along the longer side, and the whole."""
    longer, shorter = max(size), min(size)
    tiles = along * math.ceil(along * shorter / longer) + 1
    patches = (vision.image_size // vision.patch_size) ** 2
    tokens = patches // config.scale_factor**2
    # every tile comes with two tokens that say where it is
    side = vision.image_size
    return ImageCost(tiles * (tokens + 2), tiles * patches, (tiles, 3, side, side))


def _native_cost(vision: Any, size: Size) -> ImageCost:
    """Qwen-VL: the picture's own size, to the nearest cell of merged patches."""
    cell = vision.patch_size * vision.spatial_merge_size
    columns, rows = (max(1, round(side / cell)) for side in size)
    patches = columns * rows * vision.spatial_merge_size**2
    width = 3 * vision.temporal_patch_size * vision.patch_size**2
    return ImageCost(columns * rows, patches, (patches, width))
