"""A run from its recipe: features once, then the stages, then an adapter to load.

    recipe ─► features ─► naming ─► captions ─► locations ─► out/model
                          adapter   adapter     adapter + LoRA

Run the same command again after a kill: finished stages are not repeated, an unfinished one goes
on from its last checkpoint, through the same visits, to the same loss curve.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from peft import PeftModel
from peft.helpers import disable_input_dtype_casting
from transformers import AutoProcessor, LlavaForConditionalGeneration, set_seed
from transformers.trainer_utils import get_last_checkpoint

from locvlm import annotations as readers
from locvlm import coordinates
from locvlm.annotations.base import AnnotatedImage
from locvlm.errors import InputError
from locvlm.instructions.base import Conversation
from locvlm.instructions.dataset import pictures_folder, read_dataset, read_manifest
from locvlm.models import tiny
from locvlm.models.chat import image_tokens
from locvlm.models.load import UNTRAINED, Settings, adapter_folder
from locvlm.training import plot
from locvlm.training.adapters import add_adapter, choose_trained, load_adapter, save_adapter
from locvlm.training.collator import Collator
from locvlm.training.features import FeatureStore
from locvlm.training.losses import Answering, Naming, Task
from locvlm.training.naming import patch_labels, targets
from locvlm.training.recipe import Recipe, Stage, read_recipe
from locvlm.training.trainer import LocTrainer, arguments
from locvlm.training.visits import Visits


@dataclass(frozen=True)
class Pictures:
    """Everything that the recipe's data sets hold, with absolute paths."""

    conversations: list[Conversation]
    annotated: list[tuple[Path, AnnotatedImage, tuple[str, ...]]]  # with the set's categories
    categories: tuple[str, ...]  # of all sets, the widest first


def train(recipe_path: Path, overrides: list[str] | None = None) -> Path:
    """Run (or go on with) a recipe. Returns the folder of the trained model.

    Raises:
        InputError: the recipe, its data or what it starts from cannot be used; or `out` holds a
            run of another recipe.
    """
    recipe = read_recipe(recipe_path, overrides)
    out = Path(recipe.out)
    _claim(out, recipe)
    data = read_pictures(recipe)
    base = tiny.base_folder()
    processor = AutoProcessor.from_pretrained(base, backend="pil")
    model = LlavaForConditionalGeneration.from_pretrained(base, dtype=torch.bfloat16)
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    features = _features(recipe, out, data, model, processor)
    set_seed(recipe.seed)  # of the low-rank updates' first values
    tuned = add_adapter(model, recipe.lora)
    lora = recipe.model != UNTRAINED and load_adapter(tuned, adapter_folder(recipe.model))
    tuned.to(model.device)
    for name, stage in recipe.stages.items():
        lora = lora or stage.trains == "adapter+lora"
        result = out / name / "model"
        if not result.is_dir():
            task = _task(recipe, name, data, features, tuned, processor)
            _run(name, stage, task, tuned, out, recipe)
            _save(tuned, result, recipe, lora=lora)
        # Also when it was just made: the next stage starts from what a resumed run would read
        load_adapter(tuned, result)
    plot.losses(out, list(recipe.stages))
    final = out / "model"
    shutil.copytree(out / list(recipe.stages)[-1] / "model", final, dirs_exist_ok=True)
    return final


def read_pictures(recipe: Recipe) -> Pictures:
    """The data sets of a recipe."""
    conversations, annotated, categories = [], [], dict[str, None]()
    for folder in map(Path, recipe.data):
        manifest = read_manifest(folder)
        images = pictures_folder(folder)
        conversations += [
            replace(item, image=str(images / item.image)) for item in read_dataset(folder)
        ]
        source = readers.read(
            manifest.reader, manifest.annotations, images=images, **manifest.options
        )
        annotated += [(images / i.file_name, i, source.categories) for i in source.images]
        categories |= dict.fromkeys(source.categories)
    return Pictures(conversations, annotated, tuple(categories))


def _claim(out: Path, recipe: Recipe) -> None:
    """One folder, one recipe: a changed one must not go on from the old one's checkpoints."""
    out.mkdir(parents=True, exist_ok=True)
    file = out / "recipe.json"
    text = msgspec.json.format(msgspec.json.encode(recipe), indent=2)
    if file.exists() and file.read_bytes() != text:
        raise InputError(f"{out}: holds a run of another recipe (see {file}); choose another out")
    file.write_bytes(text)


def _features(
    recipe: Recipe, out: Path, data: Pictures, model: Any, processor: Any
) -> FeatureStore:
    sizes = {path: (image.width, image.height) for path, image, _ in data.annotated}
    layers = model.config.vision_feature_layer
    layers = 1 if isinstance(layers, int) else len(layers)
    shape = (image_tokens(processor), model.config.vision_config.hidden_size * layers)
    store = FeatureStore(Path(recipe.features or out / "features"), sizes, shape, tiny.ASSEMBLY)
    store.compute(model, processor, flip=recipe.flip)
    return store


def _task(
    recipe: Recipe, name: str, data: Pictures, features: FeatureStore, tuned: Any, processor: Any
) -> Task:
    stage = recipe.stages[name]
    count = stage.steps * stage.pictures
    if stage.trains == "naming":
        goal = targets(tuned.get_base_model(), processor, data.categories)
        grid = int(image_tokens(processor) ** 0.5)
        labels = [
            patch_labels(image, known, data.categories, grid) for _, image, known in data.annotated
        ]
        paths = [path for path, *_ in data.annotated]
        flip, seed = recipe.flip, recipe.seed
        return Naming(paths, np.stack(labels), goal, features, count, flip=flip, seed=seed)
    written = coordinates.get(recipe.format, **recipe.options)
    visits = Visits(
        data.conversations,
        stage.questions,
        stage.max_questions,
        flip=recipe.flip,
        seed=f"{recipe.seed}/{name}",  # another stage goes through the pictures in another order
    )
    return Answering(visits, Collator(processor, written), features, count, stage.guidance)


def _run(name: str, stage: Stage, task: Task, tuned: PeftModel, out: Path, recipe: Recipe) -> None:
    choose_trained(tuned, lora=stage.trains == "adapter+lora")
    folder = out / name
    settings = arguments(stage, folder, save_steps=recipe.save_steps, seed=recipe.seed)
    trainer = LocTrainer(tuned, task, settings, folder / "log.jsonl")
    tuned.train()
    with disable_input_dtype_casting(tuned):
        trainer.train(resume_from_checkpoint=_last_checkpoint(folder))


def _last_checkpoint(folder: Path) -> str | None:
    folder.mkdir(parents=True, exist_ok=True)
    last: str | None = get_last_checkpoint(str(folder))
    return last


def _save(tuned: PeftModel, folder: Path, recipe: Recipe, *, lora: bool) -> None:
    """Atomic: a folder that exists is a stage that is done."""
    scratch = folder.with_suffix(".new")
    shutil.rmtree(scratch, ignore_errors=True)
    save_adapter(tuned, scratch, lora=lora)
    Settings(format=recipe.format, options=dict(recipe.options), base="tiny").write(scratch)
    os.replace(scratch, folder)
