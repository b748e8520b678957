"""The held-out images of a recipe's data sets, and questions about them: never trained on.

They are those of the split `val`, which a data set keeps beside the images that it asks about. The
questions are drawn by what the data set was built by: its categories, templates and seed.
"""

from __future__ import annotations

import random
import sys
from dataclasses import replace
from typing import Any

from locvlm.annotations.splits import list_held_out, select_split
from locvlm.distributed import partial_state
from locvlm.errors import InputError
from locvlm.instructions.build import ask_about_batch
from locvlm.instructions.dataset import (
    find_images_folder,
    read_asked_objects,
    read_manifest,
    read_objects,
)
from locvlm.instructions.rebuild import rebuild_plan
from locvlm.io.reading import is_file
from locvlm.shown.terminal import say
from locvlm.training.data.dataset import TrainingData, centers
from locvlm.training.data.unseen import leave_out_unseen
from locvlm.training.recipe import Recipe

SPLIT = "val"
MOST = 2000  # images of a data set that are asked about; a look takes a few of them
NONE = (
    "validation: none, for no data set has held-out images (split val): the last state is kept; "
    "`locvlm build … --hold-out 0.2` holds some out"
)


def prepare_held_out(recipe: Recipe, processor: Any) -> TrainingData | None:
    """Held-out images with questions that a model with this processor can see the answers of.

    None where the recipe looks at none, or where there are none, which is said on standard error.
    """
    if recipe.looks is None or all(stage.trains == "naming" for stage in recipe.stages.values()):
        return None
    data = read_held_out(recipe)
    if data.conversations:
        try:
            return leave_out_unseen(data, processor)[0]
        except InputError:  # nothing is left of them
            pass
    if partial_state().is_main_process:
        say(NONE, file=sys.stderr)
    return None


def read_held_out(recipe: Recipe) -> TrainingData:
    """The held-out images of all data sets, with absolute paths; maybe none.

    Raises:
        InputError: a data set cannot be read.
    """
    conversations, annotated, categories = [], [], dict[str, None]()
    for folder, given in recipe.data_folders:
        manifest = read_manifest(folder)
        if not manifest.objects_sha256:
            continue
        every, asked = read_objects(folder), read_asked_objects(folder)
        unseen = set(list_held_out(every, asked))  # val may have been asked about, or share images
        images_of_val = select_split(every, SPLIT).images
        held_out = [image for image in images_of_val if image.file_name in unseen]
        if not held_out:
            continue
        images, chance = find_images_folder(folder, given), random.Random(f"{recipe.seed}/{SPLIT}")
        drawn = chance.sample(held_out, min(MOST, len(held_out)))
        there = [image for image in drawn if is_file(images / image.file_name)]
        plan = rebuild_plan(manifest, asked)
        for item in ask_about_batch(plan, there).conversations(plan.source):
            items = centers(item.instructions) if recipe.points else item.instructions
            conversations.append(replace(item, image=str(images / item.image), instructions=items))
        annotated += [(images / image.file_name, image, manifest.categories) for image in there]
        categories |= dict.fromkeys(manifest.categories)
    return TrainingData(conversations, [], annotated, tuple(categories))
