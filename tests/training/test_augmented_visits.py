"""Views from the pixels to the text: what is asked is about what is shown, where it is shown."""

import json
import pickle
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file

from locvlm import coordinates
from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.errors import InputError
from locvlm.geometry import Box, Frame, coords_of
from locvlm.instructions.base import Conversation, Instruction
from locvlm.instructions.build import QuestionOptions, ask_about_image, make_plan
from locvlm.instructions.dataset import read_dataset, read_manifest
from locvlm.instructions.dataset_writer import write_dataset
from locvlm.instructions.objectives import names
from locvlm.models.load import Loaded
from locvlm.processors import frame_of
from locvlm.training.augment import Augment, Color, Crop
from locvlm.training.data.collator import IGNORED, Collator, EncodedConversation
from locvlm.training.data.dataset import QuestionSource, read_training_data
from locvlm.training.data.sampler import Visit, VisitSampler
from locvlm.training.recipe_file import read_recipe
from locvlm.training.train import train
from tests import families

CATEGORIES = ("dog", "cat", "cup", "bus")
ALL = dict.fromkeys(names(), 9)
PARTS = Augment(crop=Crop(area=(0.1, 1.0), share=1.0))
COLORED = Augment(crop=Crop(area=(0.1, 1.0), share=1.0), color=Color(share=1.0))


def origin(image: AnnotatedImage, *objectives: str) -> QuestionSource:
    data = AnnotationSet([image], CATEGORIES, Path("some.json"))
    return QuestionSource(
        image, make_plan(data, QuestionOptions(objectives=objectives or tuple(names())))
    )


def visits(
    image: AnnotatedImage,
    augment: Augment = PARTS,
    folder: Path = Path("/pictures"),
    questions: dict[str, int] = ALL,
    **options: Any,
) -> VisitSampler:
    """Of one picture, all of which may be asked about."""
    found = origin(image, *questions)
    items = ask_about_image(found.plan, image, 0, questions)
    whole = Conversation(str(folder / image.file_name), image.width, image.height, items)
    return VisitSampler([whole], questions, 99, augment=augment, origins=[found], **options)


def some(*objects: Object, **others: Any) -> AnnotatedImage:
    return AnnotatedImage(1, "1.png", 200, 100, objects, **others)


def texts(visit: Visit) -> list[str]:
    return [f"{item.question} {item.answer}" for item in visit.conversation.instructions]


DOG, CAT = Object("dog", Box(20, 10, 60, 70)), Object("cat", Box(120, 30, 190, 90))


# Boxes against pixels


@st.composite
def marked(draw: st.DrawFn) -> tuple[tuple[int, int], Box]:
    """The size of a picture, and a box of whole pixels in it."""
    size = draw(st.tuples(st.integers(24, 200), st.integers(24, 200)))
    edges = []
    for side in size:
        low = draw(st.integers(0, side - 12))
        edges.append((low, draw(st.integers(low + 12, side))))
    return size, Box(edges[0][0], edges[1][0], edges[0][1], edges[1][1])


@pytest.mark.parametrize("name", ["tiny", "llava"])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=marked(), seed=st.integers(0, 10**6))
def test_what_is_written_is_where_the_pixels_are(
    name: str, small_model: Loaded, tmp_path: Path, case: tuple[tuple[int, int], Box], seed: int
) -> None:
    """A red box in a gray picture: cut, turned to another light, mirrored, resized and read."""
    size, box = case
    picture = Image.new("RGB", size, (90, 90, 90))
    picture.paste((230, 60, 60), tuple(map(int, coords_of(box))))
    picture.save(tmp_path / "1.png")
    image = AnnotatedImage(1, "1.png", *size, (Object("dog", box),))
    processor = small_model.processor if name == "tiny" else families.build("llava")[1]
    collator = Collator(processor, coordinates.get("ivb", bins=56))
    plan = visits(image, COLORED, tmp_path, {"locpred": 1, "negpred": 9}, seed=seed)
    for number in range(4):
        visit = plan.visit(number)
        view = visit.open(None)
        part = visit.conversation
        assert view.size == (part.width, part.height)
        encoded = collator.encode(part, view, flipped=visit.flipped)
        answers = {a for a in learned(collator, encoded) if a.startswith("It is located")}
        if answers:
            frame = frame_of(processor, view.size)
            pixels = shown(processor, encoded.image_inputs["pixel_values"][0].numpy())
            check_place(pixels, view, answers.pop(), frame)
        elif any("dog" in text for text in texts(visit)):  # "There is no such object in the image"
            assert redness(channels(view)).max() < 0.02
        else:
            assert 0 < (redness(channels(view)) > 0.02).sum() < 0.5 * box.area


def shown(processor: Any, values: np.ndarray) -> np.ndarray:
    """(3, H, W) from 0 to 1, of values that the processor has scaled."""
    settings = processor.image_processor
    mean, deviation = (np.reshape(v, (3, 1, 1)) for v in (settings.image_mean, settings.image_std))
    return np.asarray(values * deviation + mean)


def learned(collator: Collator, encoded: EncodedConversation) -> Iterator[str]:
    decode = collator.processor.tokenizer.decode
    start = encoded.prefix
    for length in encoded.lengths:
        ids = encoded.input_ids[start : start + length]
        yield decode(ids[encoded.labels[start : start + length] != IGNORED])
        start += length


def check_place(pixels: np.ndarray, view: Image.Image, answer: str, frame: Frame) -> None:
    """The numbers of an answer are the edges of what is red, within a bin and what resizing blurs.

    Args:
        pixels: (3, H, W) from 0 to 1, as the model sees them.
        view: from which the processor made them.
        answer: with the numbers x1, y1, x2, y2, in 56 bins.
        frame: from the view to these pixels.
    """
    numbers = np.array([int(number) for number in re.findall(r"\d+", answer)[:4]])
    sides = np.array([pixels.shape[2], pixels.shape[1]] * 2)
    told = numbers / 56 * sides
    seen = redness(pixels) > 0.4 * redness(channels(view)).max()
    columns, rows = np.flatnonzero(seen.any(0)), np.flatnonzero(seen.any(1))
    if not seen.any():  # the processor cuts pictures, too
        assert np.isclose(told[:2], told[2:], atol=2).any()
        return
    found = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
    blurred = 1 + np.array(frame.scale * 2)  # pixels: one of the view's, one of the model's
    assert (np.abs(told - found) <= blurred + sides / 56).all(), (told, found)


def channels(view: Image.Image) -> np.ndarray:
    """(3, H, W) from 0 to 1."""
    return np.moveaxis(np.asarray(view) / 255, -1, 0)


def redness(pixels: np.ndarray) -> np.ndarray:
    """(H, W) of pixels (3, H, W): 0 where they are gray."""
    return np.asarray(pixels[0] - pixels[1:].mean(0))


# What is asked


def test_parts_are_asked_about_as_pictures() -> None:
    plan = visits(some(DOG, CAT))
    seen = [plan.visit(number) for number in range(60)]
    assert len({visit.window for visit in seen}) > 50
    for visit in seen:
        part = visit.conversation
        assert visit.size == (200, 100)
        assert visit.window is None or (part.width, part.height) != visit.size
        for item in part.instructions:
            for place in item.locations:
                assert place.clip(part.width, part.height) == place


def test_without_objects_only_what_is_absent_is_asked() -> None:
    plan = visits(some(), questions={"locpred": 4, "negpred": 4})
    for number in range(20):
        asked = plan.visit(number).conversation.instructions
        assert {item.objective for item in asked} == {"negpred"}


def test_where_nothing_can_be_asked_about_a_part_the_whole_is_shown() -> None:
    """Parts of a tenth of a picture that one thing fills."""
    filling = some(Object("dog", Box(0, 0, 200, 100)))
    small = Augment(crop=Crop(area=(0.05, 0.1), share=1.0))
    plan = visits(filling, small, questions={"locpred": 1})
    for number in range(20):
        visit = plan.visit(number)
        assert visit.window is None
        assert [item.locations for item in visit.conversation.instructions] == [
            (Box(0, 0, 200, 100),)
        ]


def test_a_cut_crowd_is_neither_asked_about_nor_denied() -> None:
    crowd = Object("dog", Box(10, 10, 190, 90), crowd=True)
    plan = visits(some(crowd), Augment(crop=Crop(area=(0.3, 0.6), share=1.0)))
    asked = [text for number in range(40) for text in texts(plan.visit(number))]
    assert asked
    assert not any("dog" in text for text in asked)


def test_of_several_the_largest_is_not_told_where_one_is_cut() -> None:
    """`presence` locates the largest of its kind."""
    large, small = Object("dog", Box(0, 0, 150, 100)), Object("dog", Box(155, 40, 195, 80))
    plan = visits(some(large, small), questions={"presence": 9, "negpred": 9})
    for number in range(60):
        visit = plan.visit(number)
        told = [item for item in visit.conversation.instructions if item.locations]
        if visit.window is not None and told and not visit.window.overlaps(large.box):
            assert told[0].evidence[0].area <= small.box.area


def test_a_picture_of_one_pixel_is_visited() -> None:
    dot = AnnotatedImage(1, "1.png", 1, 1, (Object("dog", Box(0, 0, 1, 1)),))
    visit = visits(dot, COLORED).visit(0)
    assert visit.window is None
    assert texts(visit)


def test_points_for_boxes() -> None:
    plan = visits(some(DOG, CAT), questions={"locpred": 9}, points=True)
    kinds = {item.kind for n in range(9) for item in plan.visit(n).conversation.instructions}
    assert kinds == {"point"}


def test_texts_are_about_the_whole_picture() -> None:
    mixed = Conversation("1.png", 200, 100, (Instruction("mixed", "What is it?", "A dog."),))
    plan = VisitSampler([mixed], {"mixed": 1}, 9, augment=COLORED, origins=[None])
    seen = [plan.visit(number) for number in range(20)]
    assert {visit.window for visit in seen} == {None}
    assert all(visit.light for visit in seen)


def test_other_light_alone_asks_what_was_built() -> None:
    found = origin(some(DOG, CAT))
    items = ask_about_image(found.plan, some(DOG, CAT), 0, ALL)
    whole = Conversation("1.png", 200, 100, items)
    plain = VisitSampler([whole], ALL, 99)
    lit = VisitSampler([whole], ALL, 99, augment=Augment(color=Color(share=1.0)))
    for number in range(9):
        assert lit.visit(number).conversation == plain.visit(number).conversation
        assert lit.visit(number).flipped == plain.visit(number).flipped


# Determinism


def test_a_visit_is_the_same_in_any_order_and_process() -> None:
    there = [visits(some(DOG, CAT), COLORED).visit(number) for number in range(30)]
    plan = pickle.loads(pickle.dumps(visits(some(DOG, CAT), COLORED)))
    assert [plan.visit(number) for number in reversed(range(30))] == there[::-1]
    other = visits(some(DOG, CAT), COLORED, seed=1)
    assert [other.visit(number) for number in range(30)] != there


# Whole runs


ONE = "stages={a: {trains: adapter, steps: 3, images: 2, questions: {locpred: 2, category: 1}}}"


def test_a_run_with_views(
    small_run: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Naming has kept features; the other stages let the encoder read each view."""
    seen: list[Visit] = []
    opened = Visit.open

    def spied(visit: Visit, frames: int | None) -> Any:
        seen.append(visit)
        return opened(visit, frames)

    monkeypatch.setattr(Visit, "open", spied)
    train(small_run, ["augment={crop: {share: 1}, color: {share: 1}}"])
    assert len(seen) == (3 + 6) * 2
    assert any(visit.window for visit in seen)
    assert list(Path("out/features").iterdir())
    lines = Path("out/locations/log.jsonl").read_text().splitlines()
    losses = [json.loads(line) for line in lines]
    assert all(np.isfinite(line["loss"]) for line in losses if "loss" in line)
    assert "stage naming: sees whole pictures as they are" in capfd.readouterr().err


def test_without_naming_nothing_is_kept(small_run: Path) -> None:
    train(small_run, [ONE, "augment.color=true"])
    assert not Path("out/features").exists()


def test_workers_show_the_same(small_run: Path) -> None:
    alone, shared = (
        train(small_run, [ONE, "augment={crop: true, color: true}", f"workers={n}", f"out=out{n}"])
        for n in (0, 2)
    )
    weights = [load_file(folder / "adapter_model.safetensors") for folder in (alone, shared)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_annotations_that_have_changed_since_change_nothing(small_run: Path) -> None:
    recipe = read_recipe(small_run, ["augment.crop=true"])
    before = read_training_data(recipe).origins
    (small_run.parent / "instances.json").unlink()
    after = read_training_data(recipe).origins
    assert [each and each.image for each in after] == [each and each.image for each in before]
    assert all(after)


def test_texts_alone_have_no_parts(small_run: Path) -> None:
    recipe = read_recipe(small_run, ["augment.crop=true"])
    folder = small_run.parent / "data"
    texts_alone = [
        replace(item, instructions=(Instruction("mixed", "What is it?", "A dog."),))
        for item in read_dataset(folder)
    ]
    write_dataset(folder, texts_alone, manifest=read_manifest(folder))
    with pytest.raises(InputError, match=r"augment\.crop: the data sets hold texts alone"):
        read_training_data(recipe)


def test_a_run_of_an_older_version_goes_on(small_run: Path) -> None:
    """Its recipe has no word of what came later."""
    train(small_run, [ONE])
    claim = Path("out/recipe.json")
    written = json.loads(claim.read_text())
    del written["augment"]
    claim.write_text(json.dumps(written))
    train(small_run, [ONE])
    with pytest.raises(InputError, match="holds a run of another recipe"):
        train(small_run, [ONE, "augment.color=true"])


# Described objects alone


def described_visits(*objects: Object, questions: dict[str, int]) -> VisitSampler:
    """Of one picture, whose data set was built with described objects alone."""
    image, other = some(*objects), some(replace(CAT, descriptions=("a cat",)))
    data = AnnotationSet([image, other], CATEGORIES, Path("some.json"))
    options = QuestionOptions(objectives=tuple(questions), described_only=True)
    plan = make_plan(data, options)
    items = ask_about_image(plan, image, 0, questions)
    whole = Conversation("/pictures/1.png", 200, 100, items)
    found = QuestionSource(image, plan)
    return VisitSampler([whole], questions, 99, augment=PARTS, origins=[found])


def test_parts_keep_to_described_objects_and_never_deny_alone() -> None:
    asked = {"locpred": 9, "negpred": 9, "revloc": 9}
    plan = described_visits(replace(DOG, descriptions=("a brown dog",)), CAT, questions=asked)
    seen = [plan.visit(number) for number in range(200)]
    assert {item.objective for visit in seen for item in visit.conversation.instructions} == {
        *asked
    }
    for visit in seen:
        told = [i for i in visit.conversation.instructions if i.objective != "negpred"]
        assert len(told) == 2
        assert all("a brown dog" in item.question + item.answer for item in told)
    assert any(visit.window for visit in seen)


def test_parts_of_a_picture_without_a_description_are_shown() -> None:
    plan = described_visits(DOG, CAT, questions={"locpred": 9, "negpred": 9})
    seen = [plan.visit(number) for number in range(50)]
    assert sum(visit.window is not None for visit in seen) > 40
    assert {item.objective for visit in seen for item in visit.conversation.instructions} == {
        "negpred"
    }
