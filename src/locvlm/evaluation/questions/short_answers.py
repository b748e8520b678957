"""Questions that want a word or two: how they are put to a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from locvlm.errors import InputError
from locvlm.instructions.base import Instruction
from locvlm.instructions.render import LOC, REPR

SHORT = "\nAnswer the question using a single word or phrase."  # LLaVA-1.5's, arXiv 2310.03744
PROMPTS = {"short": SHORT, "plain": ""}  # what follows the question
OPTIONS: Mapping[str, Any] = {"prompt": "short"}


def make_instruction(
    task: str, question: str, answer: str, options: Mapping[str, Any], where: str
) -> Instruction:
    """A question of a `task`, asked as its option `prompt` says.

    Raises:
        InputError: the option is unknown; question or answer hold what stands for a location.
    """
    prompt = options["prompt"]
    if prompt not in tuple(PROMPTS):  # it may be anything, a list too
        raise InputError(f"option prompt: {prompt!r} is unknown; give one of {', '.join(PROMPTS)}")
    for text in (question, answer):
        if LOC in text or REPR in text:
            raise InputError(f"{where}: holds {LOC} or {REPR}, which mean a location; reword it")
    return Instruction(task, question + PROMPTS[prompt], answer)
