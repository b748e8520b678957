"""How much goes into one pass: pictures, and tokens of a row.

A CPU takes one picture after the other. A GPU is fast with many at once, and takes as many as its
memory holds; layers that are compiled want few different lengths.
"""

from __future__ import annotations

import os
from typing import Any

import torch
from accelerate.utils import gather_object

from locvlm.distributed import partial_state
from locvlm.training.recipe import Recipe, Stage

BLOCK = 128  # tokens of FlexAttention's blocks
GROWTH = 1.25  # from one length of compiled rows to the next
IMAGE_TOKENS = 1200  # of a picture whose size decides their number
QUESTION_TOKENS = 36  # mean tokens of a question with its answer
# Bytes per token, layer and width that a pass in 16 bits keeps for its backward pass: of all that
# is computed (on an H100 40 with formed updates, 70 with PEFT's), or of what enters a layer
KEPT_BYTES, CHECKPOINTED_BYTES = 64, 6
SHARE = 0.6  # of the free memory that these may take
WORKERS = 16  # at most, that prepare pictures for one GPU


def round_up_length(tokens: int) -> int:
    """The next of the lengths that compiled rows have: multiples of 128, each a quarter longer.

    Up to 8,192 tokens there are nineteen, so that no more shapes than that are ever compiled.
    """
    length = BLOCK
    while length < tokens:
        length = max(length + BLOCK, int(length * GROWTH) // BLOCK * BLOCK)
    return length


def images_per_pass(recipe: Recipe, stage: Stage, model: Any, image_tokens: int) -> int:
    """What `batch` is for a stage; auto: one on a CPU, on a GPU as many as should fit.

    Args:
        recipe: of the run.
        stage: one of its own.
        model: on its device; of a language model's layers and width.
        image_tokens: of a picture, in the language model.
    """
    if recipe.batch != "auto":
        return recipe.batch
    if not torch.cuda.is_available():
        return 1
    # also what PyTorch holds and does not use
    free = torch.cuda.mem_get_info()[0] + torch.cuda.memory_reserved()
    free -= torch.cuda.memory_allocated()
    most = count_fitting(recipe, stage, model.config, image_tokens, free)
    most = min(gather_object([most]))  # alike in all
    return share_out(stage.images, partial_state().num_processes, most)


def count_fitting(recipe: Recipe, stage: Stage, config: Any, image_tokens: int, free: float) -> int:
    """Pictures whose pass should fit into a GPU's free memory.

    Args:
        recipe: of the run.
        stage: one of its own.
        config: of the model; of a language model's layers and width.
        image_tokens: of a picture, in the language model; 0: its size decides.
        free: bytes, beside the weights.
    """
    text = config.get_text_config()
    tokens = round_up_length((image_tokens or IMAGE_TOKENS) + QUESTION_TOKENS * stage.max_questions)
    each = CHECKPOINTED_BYTES if recipe.gradient_checkpointing else KEPT_BYTES
    return int(SHARE * free / (tokens * text.num_hidden_layers * text.hidden_size * each))


def share_out(images: int, processes: int, fitting: int) -> int:
    """Pictures per pass: the most that fit, and one at least, which divide those of a process."""
    mine = max(1, images // processes)
    most = max(1, fitting)
    return max(count for count in range(1, mine + 1) if mine % count == 0 and count <= most)


def count_workers(recipe: Recipe) -> int:
    """Processes that prepare pictures: on a CPU none, which has better things to do."""
    if recipe.workers != "auto":
        return recipe.workers
    if not torch.cuda.is_available():
        return 0
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(1, min(WORKERS, (os.cpu_count() or 1) // here - 1))
