"""Inspection shows the truth: what the processor, the tokenizer and the collator really made."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from locvlm import coordinates
from locvlm.errors import InputError
from locvlm.geometry import Box, Point
from locvlm.inspection.drawing import ANNOTATED, IN_LOSS, SHOWN, draw_sample
from locvlm.inspection.inspect import (
    InspectedQuestion,
    InspectedToken,
    inspect,
    inspect_conversations,
    model_image,
)
from locvlm.inspection.skipping import leave_out_unusable
from locvlm.instructions.base import Conversation, Instruction
from locvlm.instructions.build_files import build_from_files
from locvlm.instructions.dataset import Manifest
from locvlm.instructions.dataset_writer import write_dataset
from locvlm.models import load as loading
from locvlm.models.load import Loaded
from locvlm.models.video_llava.processor import PooledVideoLlavaProcessor
from tests import families

WHERE = Instruction(
    "locpred",
    "Where is the object described dog located in image in terms of {repr}?",
    "It is located at {loc}",
    (Box(20, 10, 90, 45),),
)
WHAT = Instruction(
    "revloc", "Describe the object located at {loc}?", "There is a cat.", (Point(30, 40),), "point"
)
ABSENT = Instruction("negpred", "Where is the cow?", "There is no such object in the image")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder with one picture, 100 x 50: red on the left, blue on the right."""
    pixels = np.zeros((50, 100, 3), np.uint8)
    pixels[:, :50, 0] = 255
    pixels[:, 50:, 2] = 255
    Image.fromarray(pixels).save(tmp_path / "halves.png")
    return tmp_path


def conversation(*instructions: Instruction) -> Conversation:
    return Conversation("halves.png", 100, 50, instructions)


def samples(loaded: Loaded, images: Path, *instructions: Instruction, name: str = "ivb") -> Any:
    options = {"bins": 56} if name != "nfp" else {}
    written = coordinates.get(name, **options)
    (sample,) = inspect_conversations(
        [conversation(*instructions)], images, loaded.processor, written
    )
    return sample


def test_nothing_to_inspect(small_model: Loaded, images: Path) -> None:
    assert inspect_conversations([], images, small_model.processor, small_model.coordinates) == []


@pytest.mark.parametrize("name", ["diga", "ivb", "nfp"])
def test_locations_come_back_from_the_tokens(name: str, small_model: Loaded, images: Path) -> None:
    sample = samples(small_model, images, WHERE, WHAT, ABSENT, name=name)
    where, what, absent = sample.questions
    assert isinstance(where.decoded[0], Box)
    assert isinstance(what.decoded[0], Point)
    assert absent.decoded == ()
    # Half a step of the format: a bin is 100/56 x 50/56 original pixels, four decimals are less.
    for question in sample.questions:
        assert question.deviation is not None
        assert question.deviation <= 0.5 * 100 / 56 + 1e-6


def test_only_answers_are_learned(small_model: Loaded, images: Path) -> None:
    sample = samples(small_model, images, WHERE, ABSENT)
    for question in sample.questions:
        learned = "".join(token.text for token in question.tokens if token.in_loss)
        ignored = "".join(token.text for token in question.tokens if not token.in_loss)
        assert learned.startswith(question.instruction.answer[:10])
        assert learned.endswith("<|im_end|>")
        assert "Where is the" in ignored
        assert question.instruction.answer[:10] not in ignored
    learned = "".join(t.text for t in sample.questions[0].tokens if t.in_loss)
    assert "(11,11,50,50)" in learned
    assert sample.supervised == sum(t.in_loss for q in sample.questions for t in q.tokens)


def test_image_tokens_are_counted_not_repeated(small_model: Loaded, images: Path) -> None:
    assert samples(small_model, images, ABSENT).prefix.count("<image>") == 1
    assert "<image> x 16" in samples(small_model, images, ABSENT).prefix


def test_the_picture_is_the_models(small_model: Loaded, images: Path) -> None:
    sample = samples(small_model, images, ABSENT)
    assert sample.image.size == sample.image_frame.model == (56, 56)
    assert sample.image.getpixel((5, 28)) == (255, 0, 0)
    assert sample.image.getpixel((50, 28)) == (0, 0, 255)
    grey = model_image(small_model.processor, Image.new("RGB", (3, 1), (7, 8, 9)))
    assert grey.getpixel((0, 0)) == (7, 8, 9)


@pytest.mark.parametrize(
    ("decoded", "deviation"),
    [
        ((Box(20, 10, 90, 45),), 0),
        ((Box(21, 10, 90, 48),), 3),
        ((), None),
        ((Point(1, 2),), None),
        ((Box(20, 10, 90, 45), Point(1, 2)), None),
    ],
)
def test_deviation(decoded: tuple[Any, ...], deviation: float | None) -> None:
    assert InspectedQuestion(WHERE, (InspectedToken("x", True),), decoded).deviation == deviation


def test_the_drawing_shows_boxes_and_the_mask(small_model: Loaded, images: Path) -> None:
    drawing = draw_sample(samples(small_model, images, WHERE))
    colours = {colour for _, colour in drawing.getcolors(1_000_000)}
    for code in (ANNOTATED, IN_LOSS):
        assert tuple(int(code[i : i + 2], 16) for i in (1, 3, 5)) in colours


def test_a_long_conversation_is_drawn_in_part(small_model: Loaded, images: Path) -> None:
    shown = draw_sample(samples(small_model, images, *[WHERE] * SHOWN))
    longer = draw_sample(samples(small_model, images, *[WHERE] * (SHOWN + 30)))
    assert shown.height < longer.height < shown.height + 100


# The whole of it, from a data set on disk


@pytest.fixture
def data(images: Path, small_model: Loaded, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data set of three conversations about the same pixels; "small" is a model's name."""
    boxes = [{"id": i, "image_id": i, "category_id": 1, "bbox": [10, 5, 40, 30]} for i in (1, 2, 3)]
    names = {1: "halves.png", 2: "2.png", 3: "3.png"}
    for name in ("2.png", "3.png"):
        shutil.copy(images / "halves.png", images / name)
    sizes = {"width": 100, "height": 50}
    pictures = [{"id": i, "file_name": name, **sizes} for i, name in names.items()]
    detections = images / "detections.json"
    categories = [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}]
    detections.write_text(
        json.dumps({"images": pictures, "annotations": boxes, "categories": categories})
    )
    build_from_files(detections, images, images / "data")
    known = {"small": small_model.processor}
    monkeypatch.setattr(
        loading,
        "load_processor",
        lambda name, *, speech=None: (known[name], speech or small_model.coordinates),
    )
    return images / "data"


def test_a_clip_is_seen_as_the_mean_of_its_frames(small_model: Loaded, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (100, 50), shade) for shade in ("black", "white")]
    path = tmp_path / "clip.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)
    processor = PooledVideoLlavaProcessor.of(small_model.processor, 2)
    there = Instruction("revloc", WHAT.question, WHAT.answer, (Box(20, 10, 90, 45),))
    (sample,) = inspect_conversations(
        [Conversation("clip.gif", 100, 50, (there,))], tmp_path, processor, small_model.coordinates
    )
    assert sample.image.getpixel((20, 20)) == pytest.approx((127, 127, 127), abs=2)
    assert sample.prefix.count("<image> x 18") == 1
    assert sample.questions[0].deviation < 2


@pytest.mark.parametrize(("count", "shown"), [(1, 1), (2, 2), (50, 3)])
def test_inspect_writes_a_picture_per_sample(data: Path, count: int, shown: int) -> None:
    found = inspect(data, "small", data.parent / "out", count=count)
    assert len(found.pictures) == shown
    assert found.undecoded == 0
    assert 0 < found.deviation <= 0.5 * 100 / 56 + 1e-6
    page = found.index.read_text()
    for path in found.pictures:
        with Image.open(path) as drawing:
            assert drawing.height > 500
        assert f'src="{path.name}"' in page
    assert "0 questions do not give back" in page


def test_another_format_than_the_models(data: Path) -> None:
    own = inspect(data, "small", data.parent / "own")
    exact = inspect(data, "small", data.parent / "nfp", coordinates=coordinates.get("nfp"))
    assert exact.deviation < 0.01 < own.deviation


@pytest.mark.parametrize("count", [0, -1])
def test_a_count_of_nothing(data: Path, count: int) -> None:
    with pytest.raises(InputError, match="at least 1"):
        inspect(data, "small", data.parent / "out", count=count)
    assert not (data.parent / "out").exists()


def test_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="locvlm build"):
        inspect(tmp_path / "none", "small", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_picture_that_is_gone(data: Path) -> None:
    (data.parent / "2.png").unlink()
    found = inspect(data, "small", data.parent / "out")
    assert len(found.pictures) == 2
    assert [f"{data.parent / '2.png'}: no such file" in reason for reason in found.skipped] == [
        True
    ]
    for name in ("halves.png", "3.png"):
        (data.parent / name).unlink()
    with pytest.raises(InputError, match=r"png: no such file.*; nor can 2 others"):
        inspect(data, "small", data.parent / "none")
    assert not (data.parent / "none").exists()


def test_one_that_cannot_be_shown_is_left_out_and_named(images: Path, small_model: Loaded) -> None:
    (images / "cut.jpg").write_bytes(b"")
    bad = Conversation("cut.jpg", 100, 50, (WHAT,))
    seen = (images, small_model.processor, small_model.coordinates)
    usable, skipped = leave_out_unusable([bad, conversation(WHAT)], *seen)
    assert usable == [conversation(WHAT)]
    assert [str(images / "cut.jpg") in reason for reason in skipped] == [True]
    with pytest.raises(InputError, match=r"cut\.jpg.*nor can 1 others"):
        leave_out_unusable([bad, bad], *seen)


def test_one_that_the_processor_refuses_is_left_out(images: Path) -> None:
    """Numbers that are shares of any picture do not tell; the processor does."""
    _, processor = families.build("qwen3_vl")
    Image.new("RGB", (1, 400)).save(images / "narrow.png")
    bad = Conversation("narrow.png", 1, 400, (WHAT,))
    written = coordinates.get("qwen3-vl")
    usable, (reason,) = leave_out_unusable([bad, conversation(WHAT)], images, processor, written)
    assert usable == [conversation(WHAT)]
    assert f"{images / 'narrow.png'}: a picture or clip of 1 x 400 pixels is refused" in reason


def test_a_picture_that_was_annotated_as_it_is_stored(data: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = data.parent / "halves.png"
    Image.open(picture).save(picture, exif=exif)
    found = inspect(data, "small", data.parent / "out")
    (reason,) = found.skipped
    assert "halves.png: is 50x100 pixels" in reason
    assert "as it is stored; remove its EXIF" in reason
    assert len(found.pictures) == 2


# What a model does not see


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data set about pictures of 120 x 60, of which a LLaVA-1.5 sees x from 30 to 90."""
    (tmp_path / "images").mkdir()
    for name in "ab":
        Image.new("RGB", (120, 60)).save(tmp_path / "images" / f"{name}.png")
    seen, cut, outside = (
        Instruction("revloc", "What is at {loc}?", f"There is a {name}.", (box,))
        for name, box in (
            ("cat", Box(40, 10, 60, 30)),
            ("cow", Box(20, 10, 50, 30)),
            ("knife", Box(2, 10, 28, 30)),
        )
    )
    rows = [
        Conversation("a.png", 120, 60, (seen, cut, outside)),
        Conversation("b.png", 120, 60, (outside,)),
    ]
    manifest = Manifest(
        annotations="/instances.json",
        annotations_sha256="0" * 64,
        images=str(tmp_path / "images"),
        categories=("cat", "cow", "knife"),
        objectives=("revloc",),
        pictures=2,
        counts={},
        drops={},
    )
    write_dataset(tmp_path / "data", rows, manifest=manifest)
    for part in families.build("llava"):
        part.save_pretrained(tmp_path / "llava")
    return tmp_path


def test_what_is_not_seen_is_not_drawn_and_is_counted(beside: Path) -> None:
    found = inspect(beside / "data", str(beside / "llava"), beside / "out")
    assert len(found.pictures) == 1 and found.locations == 2 and not found.undecoded
    assert found.deviation < 1  # of what is seen of the one that is cut
    assert found.unseen[0].startswith(
        "left out, questions about what lies outside of what the model sees: 2 of 4 (revloc 2)"
    )
    assert found.unseen[1:] == (
        "pictures that have no question left: 1",
        "questions about objects that are cut, at least half seen: 1",
    )
