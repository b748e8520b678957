"""Every stage of every shipped recipe, from its own file, at the size of tiny random models.

What is set is only what has to shrink: parts and models, data, how long, images a step, processes.
The paper's recipes run as the chain that their heads give, from nothing to the end.
"""

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoConfig, AutoModelForImageTextToText

from locvlm import cli
from locvlm.inference.predictor import load_predictor
from locvlm.instructions.dataset import read_manifest
from locvlm.models import tiny
from locvlm.models.folders import ModelSettings
from locvlm.models.video_llava.processor import frames_of
from locvlm.training.plan import configurations, estimate
from locvlm.training.recipe import Recipe
from locvlm.training.recipe_file import read_recipe
from locvlm.training.train import train
from tests import families
from tests.families.parts import write_parts

RECIPES = Path(__file__).parents[2] / "recipes"
NAMES = sorted(path.stem for path in RECIPES.glob("*.yaml"))
CHAIN = ["locvlm-b-captions", "locvlm-b", "vid-b", "vid-b-plus"]
ZERO_SHOT = ["locvlm-l-captions", "locvlm-l-zero-shot"]
# The others: recipe -> the family of its model; "": LocVLM-Tiny's small twin
ALONE = {
    "locvlm-l": "llava",
    "qwen3-vl-lora": "qwen3_vl",
    "smolvlm-lora": "smolvlm",
    "tiny": "",
    "tiny-ablation": "",
    "tiny-control": "",
    "tiny-gpu": "",
    "tiny-reinforce": "",
    "tiny-stage1": "",
    "tiny-video": "",
}
KINDS = ["dog", "cat", "person"]
OBJECTIVES = "locpred,negpred,revloc,presence,spatial,category,caption"
# Random weights say the same of all objects, so where one is cannot be asked
UNLOCATED = "stages.locations.questions={negpred: 4, revloc: 4}"
SIDE = {"width": 60, "height": 40}


def test_every_recipe_is_run_here() -> None:
    assert sorted([*CHAIN, *ZERO_SHOT, *ALONE]) == NAMES


@pytest.fixture(scope="module")
def deep_base(small_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small model with enough layers for guided attention to choose among."""
    folder = tmp_path_factory.mktemp("deep-base")
    shutil.copytree(small_base, folder, dirs_exist_ok=True)
    config = AutoConfig.from_pretrained(small_base)
    config.text_config.num_hidden_layers = 9
    torch.manual_seed(0)
    AutoModelForImageTextToText.from_config(config).save_pretrained(folder)
    return folder


@pytest.fixture
def workshop(deep_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to train in: images, clips, captions, parts, and the data sets of these."""
    monkeypatch.setattr(tiny, "base_folder", lambda: deep_base)
    monkeypatch.chdir(tmp_path)
    write_parts(tmp_path)
    _write_media(tmp_path)
    _write_annotations(tmp_path, "images", "png")
    _write_annotations(tmp_path, "clips", "gif")
    for media, name in (("images", "coco"), ("clips", "clips")):
        run(
            *("build", "--annotations", f"{media}.json", "--images", media, "--objectives"),
            *(OBJECTIVES, "--captions", f"{media}-captions.json", "--out", f"data/{name}"),
        )
    return tmp_path


def run(*arguments: str) -> None:
    assert cli.main(arguments) == 0, arguments


def _write_media(folder: Path) -> None:
    noise = np.random.default_rng(0)
    for media in ("images", "clips"):
        (folder / media).mkdir()
    for number in range(1, 5):
        shape = (3, SIDE["height"], SIDE["width"], 3)
        first, *others = map(Image.fromarray, noise.integers(0, 256, shape, np.uint8))
        first.save(folder / "images" / f"{number}.png")
        clip = folder / "clips" / f"{number}.gif"
        first.save(clip, save_all=True, append_images=others, duration=200)


def _write_annotations(folder: Path, media: str, ending: str) -> None:
    """COCO's instances and captions, and the captions as LLaVA's chat.json has them."""
    images: list[dict[str, Any]] = []
    boxes: list[dict[str, Any]] = []
    said: list[dict[str, Any]] = []
    chats = []
    for number in range(1, 5):
        name, caption = f"{number}.{ending}", f"a dog and a cat, {number}"
        images.append({"id": number, "file_name": name, **SIDE})
        said.append({"id": number, "image_id": number, "caption": caption})
        turns = [("human", "<image>\nProvide a brief description."), ("gpt", caption)]
        turns = [{"from": who, "value": words} for who, words in turns]  # type: ignore[misc]
        chats.append({"id": str(number), "image": name, "conversations": turns})
        for place in range(2):
            one = {"image_id": number, "category_id": (number + place) % 3 + 1, "iscrowd": 0}
            box = {"bbox": [1 + 37 * place, 2, 20, 25 + number], "area": 500}
            boxes.append({"id": len(boxes) + 1, **one, **box})
    kinds = [{"id": i, "name": name} for i, name in enumerate(KINDS, 1)]
    document = {"images": images, "annotations": boxes, "categories": kinds}
    (folder / f"{media}.json").write_text(json.dumps(document))
    document = {"images": images, "annotations": said}
    (folder / f"{media}-captions.json").write_text(json.dumps(document))
    (folder / f"{media}-chat.json").write_text(json.dumps(chats))


def shrink(name: str, *settings: str) -> list[str]:
    """What is set of a recipe: few steps of few images, in one process."""
    recipe = read_recipe(RECIPES / f"{name}.yaml")
    found = ["distributed=ddp", *settings]
    if recipe.batch != "auto":
        found.append("batch=2")
    for stage, given in recipe.stages.items():
        length = "epochs=0.5" if given.epochs is not None else "steps=1"
        found += [f"stages.{stage}.{length}", f"stages.{stage}.images=2"]
        if given.reinforce is not None:
            found.append(f"stages.{stage}.reinforce.samples=2")
    return found


def train_shipped(name: str, *settings: str) -> Path:
    """Train a recipe in the folder that it names; all its stages have learned."""
    recipe = read_recipe(RECIPES / f"{name}.yaml")
    folder = train(RECIPES / f"{name}.yaml", shrink(name, *settings))
    for stage in recipe.stages:
        rows = [*map(json.loads, Path(recipe.out, stage, "log.jsonl").read_text().splitlines())]
        assert {row["step"] for row in rows} == {1}  # of half of four images, or as set
    assert folder == Path(recipe.out, "model")
    return folder


def describe_and_build(annotations: str, model: Path, data: str) -> None:
    """The commands of the head of locvlm-b.yaml, but for the faces, of which noise has none."""
    run(
        *("pseudo", "describe", "--annotations", annotations, "--images", "images", "--keep-all"),
        *("--model", str(model), "--out", "described.json"),
    )
    run(
        *("build", "--annotations", "described.json", "--images", "images", "--described-only"),
        *("--objectives", "locpred,negpred,revloc", "--out", data),
    )


def parts(adapter: str) -> str:
    return f"parts={{encoder: {Path('clip').resolve()}, language: {Path('llama').resolve()}, " + (
        f"adapter: {adapter}}}"
    )


def data(name: str) -> str:
    return f"data=[{Path('data', name).resolve()}]"


def plan(name: str, *settings: str) -> None:
    run("plan", str(RECIPES / f"{name}.yaml"), "--machine", "8xA100", *_set(name, *settings))


def _set(name: str, *settings: str) -> list[str]:
    return [word for one in shrink(name, *settings) for word in ("--set", one)]


def test_the_papers_chain(workshop: Path) -> None:
    """Captions, descriptions by that model, locations, clips by the adapter, clips by all of it."""
    run(
        *("import", "images-chat.json", "--from", "llava", "--format", "ivb"),
        *("--images", "images", "--out", "data/cc3m"),
    )
    small = parts("linear")
    plan("locvlm-b-captions", small, data("cc3m"))
    captions = train_shipped("locvlm-b-captions", small, data("cc3m"))
    describe_and_build("images.json", captions, "data/localize-instruct")
    described = read_manifest(Path("data/localize-instruct"))
    assert described.pseudo["model"] == str(captions)
    assert described.counts.keys() >= {"revloc", "negpred"}

    whole = train_shipped("locvlm-b", data("localize-instruct"), UNLOCATED)
    assert load_predictor(whole).model.config.single_linear_projector is True
    adapter = train_shipped("vid-b", data("clips"))
    assert ModelSettings.read(adapter).frames == 100
    last = train_shipped("vid-b-plus", data("clips"))
    for name, names in zip(CHAIN[1:], ("localize-instruct", "clips", "clips"), strict=True):
        asks = [UNLOCATED] if name == "locvlm-b" else []
        plan(name, data(names), *asks)  # from the models that are there now
    predictor = load_predictor(last)
    assert frames_of(predictor.processor) == 8
    assert (predictor.coordinates.name, predictor.coordinates.options) == ("ivb", {"bins": 224})
    assert isinstance(predictor.ask(Path("clips/1.gif"), "What is there?"), str)


def test_the_chain_of_the_zero_shot_rows(workshop: Path) -> None:
    """Stage 1 of a caption file of COCO's form; nothing of it has seen questions."""
    small, asks = parts("mlp"), "stages.captions.questions={caption: 1}"
    captions = train_shipped("locvlm-l-captions", small, data("coco"), asks)
    described = "data/localize-instruct-l-zero-shot"
    describe_and_build("images.json", captions, described)
    own = data("localize-instruct-l-zero-shot")
    last = train_shipped("locvlm-l-zero-shot", own, UNLOCATED)
    assert load_predictor(last).coordinates.options == {"bins": 336}


@pytest.mark.parametrize("name", ALONE)
def test_a_recipe_by_itself(name: str, workshop: Path) -> None:
    if name == "tiny-reinforce" and importlib.util.find_spec("trl") is None:
        pytest.skip("rewards need TRL: pip install 'locvlm[reinforce]'")
    if (family := ALONE[name]) and family not in families.names():
        pytest.skip("SmolVLM's processor needs num2words")
    start = "model=tiny-base"
    if family:
        model, processor = families.build(family)
        for part in (model, processor):
            part.save_pretrained("start")
        start = f"model={Path('start').resolve()}"
    media = data("clips" if name == "tiny-video" else "coco")
    train_shipped(name, start, media)


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_is_planned_with_nothing_there(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As shipped, with neither data nor models but LocVLM-Tiny's; depth and batch are cut."""
    find = configurations.find_configuration

    def find_shallow(recipe: Recipe) -> tuple[Any, str]:
        config, origin = find(recipe)
        config.get_text_config().num_hidden_layers = 2
        if getattr(config, "vision_feature_layer", None) == -2:
            config.vision_config.num_hidden_layers = 2
        return config, origin

    monkeypatch.setattr(estimate, "find_configuration", find_shallow)
    monkeypatch.chdir(tmp_path)
    given = ["plan", str(RECIPES / f"{name}.yaml"), "--machine", "8xA100"]
    assert cli.main([*given, "--images", "95899", "--set", "batch=1"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Assumed, for want of its data: pictures of 640 x 480" in said
    if name in ("locvlm-b", "locvlm-l", "locvlm-l-zero-shot"):
        assert "14,985 steps of 64 pictures" in said
    if name in CHAIN:
        assert "published shape of huggyllama/llama-7b" in said
