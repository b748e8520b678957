"""Multiple: LocPred for several instances at once, "all the cups".

The answer lists the locations from left to right by their centers, at the same place from top to
bottom; in a mirrored picture it does so again (see `locvlm.instructions.base.flip`). A category
with a crowd is left out, since its instances cannot be told apart; so is one with an instance that
has no box or is not asked about, for then the list would not hold all.
"""

from __future__ import annotations

import random

from locvlm.annotations.base import AnnotatedImage
from locvlm.instructions.base import Instruction, left_to_right
from locvlm.instructions.instruction_columns import InstructionGroup
from locvlm.instructions.objectives.base import Objective, QuestionContext
from locvlm.instructions.objectives.image_batch import ImageBatch
from locvlm.instructions.objectives.location_choice import draw_kind, location_of
from locvlm.instructions.objectives.remainder import OBJECTS, UNSURE, Reason, Remainder, count_in
from locvlm.instructions.templates import TemplateRule, draw_template

NAME = "multiple"
PROMPTS = (
    "Where are all the objects described {category} located in image in terms of {repr}?",
    "What are the locations of all objects described {category} in terms of {repr}?",
    "Localize every object described {category} in terms of {repr}?",
    "Provide a {repr} for each object described {category}?",
)
ANSWER = "They are located at {loc}"
MOST = 6  # instances; longer lists are more counting than locating


def ask_image(
    image: AnnotatedImage, context: QuestionContext, rng: random.Random
) -> list[Instruction]:
    """One question per category with two to `MOST` instances."""
    prompts = context.templates.of(NAME, "prompts", PROMPTS)
    answers = context.templates.of(NAME, "answers", (ANSWER,))
    instructions = []
    for name, items in image.instances().items():
        if not 2 <= len(items) <= MOST:
            continue
        question = rng.choice(prompts).replace("{category}", name)
        kind = draw_kind(context.location, rng)
        answer = draw_template(answers, rng).replace("{loc}", _list_of(len(items)))
        locations = left_to_right(location_of(item.box, kind) for item in items)
        instructions.append(Instruction(NAME, question, answer, locations, kind, category=name))
    return instructions


def _list_of(count: int) -> str:
    """`{loc}, {loc} and {loc}`."""
    return ", ".join(["{loc}"] * (count - 1)) + " and {loc}"


def count_left_out(
    batch: ImageBatch, context: QuestionContext, asked: InstructionGroup
) -> Remainder:
    """Of the objects that are no crowds, those of kinds that are one, many or uncounted."""
    among, sizes, unsure = ~batch.objects.crowds, batch.kind_sizes, batch.kind_uncounted
    alone = Reason(OBJECTS, "they are the only ones of their kind in the picture")
    many = Reason(OBJECTS, f"their picture holds more than {MOST} of the kind")
    return {
        **count_in(UNSURE, unsure, among),
        **count_in(alone, (sizes == 1) & ~unsure, among),
        **count_in(many, (sizes > MOST) & ~unsure, among),
    }


OBJECTIVE = Objective(
    name=NAME,
    ask_image=ask_image,
    count_left_out=count_left_out,
    template_rules={
        "prompts": TemplateRule(("{category}",), ("{repr}",)),
        "answers": TemplateRule(("{loc}",)),
    },
)
