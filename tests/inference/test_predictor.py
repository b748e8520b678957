from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import locvlm
from locvlm.coordinates import get
from locvlm.errors import InputError, UnusableImageError
from locvlm.geometry import Box, Point
from locvlm.inference import prefix_cache as module
from locvlm.inference.batching import Batching
from locvlm.inference.predictor import Predictor
from locvlm.instructions.base import Conversation, Instruction
from locvlm.models.load import Loaded
from locvlm.training.data.collator import Collator
from tests import families

QUESTIONS = ["a", "Where is the dog?", "Describe the object located at (4,52,13,6)?", "cat? " * 9]


@pytest.fixture
def model(small_model: Loaded) -> Predictor:
    return Predictor(small_model.model, small_model.processor, small_model.coordinates)


def photo(seed: int = 0, size: tuple[int, int] = (112, 28)) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(noise)


def saying(model: Predictor, *answers: str) -> list[str]:
    """Make the model say `answers`; returns the list that its questions will be added to."""
    asked: list[str] = []
    model.answer = lambda image, questions: [asked.extend(questions), list(answers)][1]
    return asked


def test_no_questions(model: Predictor):
    assert model.answer(photo(), []) == []
    assert model.locate_many(photo(), []) == []
    assert model.describe_many(photo(), []) == []


def test_together_as_alone_in_order(model: Predictor):
    model.batching = Batching(questions=3)  # two batches, the last not full
    questions = [QUESTIONS[i] for i in (3, 0, 2, 1)]
    together = model.answer(photo(), questions, max_new_tokens=10)
    assert together == [model.answer(photo(), [q], max_new_tokens=10)[0] for q in questions]
    assert len(set(together)) == 4


def test_pictures_together_as_alone(model: Predictor):
    model.batching = Batching(questions=3)
    asked = [(photo(0), QUESTIONS), (photo(1), []), (photo(2), QUESTIONS[:2]), (photo(0), ["cat?"])]
    together = model.answer_all(asked, max_new_tokens=10)
    alone = [model.answer(image, questions, max_new_tokens=10) for image, questions in asked]
    assert together == alone
    assert together[0][:2] != together[2]
    assert model.answer_all([]) == []


def test_the_likeliest_choice(model: Predictor):
    model.batching = Batching(questions=3)
    asked = [(photo(0), QUESTIONS[:2]), (photo(1), []), (photo(2), QUESTIONS[2:])]
    choices = [("yes", "no"), ("left", "right", "above it"), ("a",), ("dog", "cat")]
    together = model.choose_all(asked, choices)
    assert [len(group) for group in together] == [2, 0, 2]
    flat = [answer for group in together for answer in group]
    assert all(answer in texts for answer, texts in zip(flat, choices, strict=True))
    swapped = [texts[::-1] for texts in choices]
    assert model.choose_all(asked, swapped) == together
    assert model.choose_all([], []) == []


@pytest.mark.parametrize("size", [(1, 1), (3000, 1), (112, 28)])
def test_any_size(model: Predictor, size: tuple[int, int]):
    assert len(model.answer(photo(size=size), ["dog?"], max_new_tokens=2)) == 1


def test_the_prefix_is_what_training_used(model: Predictor, small_model: Loaded):
    collator = Collator(small_model.processor, small_model.coordinates)
    one = Instruction("category", "Is it a dog?", "No.", ())
    known = collator.encode(Conversation("", 112, 28, (one,)))  # its features are kept
    shown = collator.encode(Conversation("", 112, 28, (one,)), photo())
    assert shown.input_ids.tolist() == known.input_ids.tolist()
    (read,) = model._batched.prefixes.read([photo()], model.batching)
    assert read.length == known.prefix == shown.prefix
    assert shown.image_inputs["pixel_values"].shape == (1, 3, 56, 56)


def test_the_last_picture_is_read_once(model: Predictor, monkeypatch: pytest.MonkeyPatch):
    reads = []
    read = module.read_prefix
    monkeypatch.setattr(module, "read_prefix", lambda *args: [reads.append(1), read(*args)][1])
    first = model.answer(photo(0), ["dog?"], max_new_tokens=8)
    model.answer(photo(0).copy(), ["cat?"], max_new_tokens=8)
    assert len(reads) == 1
    assert model.answer(photo(1), ["dog?"], max_new_tokens=8) != first
    assert model.answer(photo(0), ["dog?"], max_new_tokens=8) == first
    assert len(reads) == 3


def test_path_and_image_are_the_same(model: Predictor, tmp_path: Path):
    photo().save(tmp_path / "photo.png")
    found = [model.ask(image, "dog?") for image in (photo(), tmp_path / "photo.png")]
    assert found[0] == found[1] == model.ask(str(tmp_path / "photo.png"), "dog?")


def test_locate_asks_and_reads_boxes_in_original_pixels(model: Predictor):
    asked = saying(model, "It is located at (14,28,28,56)")
    found = model.locate(photo(), " dog ")
    assert asked == [
        "Where is the object described dog located in image in terms of (x1,y1,x2,y2) bbox?"
    ]
    assert found.box == Box(28, 14, 56, 28)  # the model's picture is 56 x 56, ours 112 x 28
    assert (found.answer, found.clipped) == ("It is located at (14,28,28,56)", 0)


def test_locate_in_the_picture_as_displayed(model: Predictor, tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6
    photo().save(tmp_path / "phone.png", exif=exif)
    saying(model, "It is located at (0,0,56,56)")
    assert model.locate(tmp_path / "phone.png", "dog").box == Box(0, 0, 28, 112)


@pytest.mark.parametrize(
    ("answer", "box", "clipped"),
    [
        ("", None, 0),
        ("There is no such object in the image", None, 0),
        ("There is no such object in the image (0,0,56,56)", None, 0),
        ("It is located at (4,52)", None, 0),  # a point
        ("It is located at (9,9,3,3)", None, 0),  # swapped
        ("at (0,0,99,56)", Box(0, 0, 112, 28), 1),
        ("at (0,0,28,28) or (1,1,2,2)", Box(0, 0, 56, 14), 0),
    ],
)
def test_locate_reads_any_answer(model: Predictor, answer: str, box: Box | None, clipped: int):
    saying(model, answer)
    found = model.locate(photo(), "dog")
    assert (found.box, found.clipped, found.answer) == (box, clipped, answer)


def test_many_keep_their_order(model: Predictor):
    saying(model, "at (0,0,28,28)", "There is no such object in the image")
    boxes = [found.box for found in model.locate_many(photo(), ["dog", "cat"])]
    assert boxes == [Box(0, 0, 56, 14), None]
    asked = saying(model, "There is a dog.", "There is a cat.")
    places = [Box(28, 14, 56, 28), Point(112, 0)]
    assert model.describe_many(photo(), places) == ["There is a dog.", "There is a cat."]
    assert asked == [
        "Describe the object located at (14,28,28,56)?",
        "Describe the object located at (56,0)?",
    ]


def test_many_as_one(model: Predictor):
    assert model.locate_many(photo(), ["dog", "cat"])[1] == model.locate(photo(), "cat")
    places = [Box(0, 0, 9, 9), Point(3, 4)]
    assert model.describe_many(photo(), places)[1] == model.describe(photo(), places[1])


@pytest.mark.parametrize("empty", ["", " \n"])
def test_nothing_asked(model: Predictor, empty: str):
    with pytest.raises(InputError, match="what to locate is empty"):
        model.locate(photo(), empty)
    with pytest.raises(InputError, match="the question is empty"):
        model.ask(photo(), empty)


@pytest.mark.parametrize("token", ["<image>", "<|im_end|>"])
def test_control_text_is_refused(model: Predictor, token: str):
    with pytest.raises(InputError, match="control text"):
        model.locate(photo(), f"dog {token}")


@pytest.mark.parametrize(
    "place", [Box(0, 0, 114, 28), Box(-2, 0, 9, 9), Box(200, 200, 300, 300), Point(5, 30)]
)
def test_a_location_outside_the_picture(model: Predictor, place: Box | Point):
    with pytest.raises(InputError, match="reaches out of the 112 x 28 picture"):
        model.describe(photo(), place)


def test_shares_are_no_pixels(model: Predictor):
    with pytest.raises(InputError, match=r"0\.1,0\.1,0\.5,0\.5 lies within one pixel: .* shares"):
        model.describe(photo(), Box(0.1, 0.1, 0.5, 0.5))
    saying(model, "There is a dog.")
    model.describe(photo(), Box(0, 0, 1, 1))


def test_a_location_on_the_border(model: Predictor):
    asked = saying(model, "There is a dog.")
    model.describe(photo(), Box(0, 0, 112.4, 28.9))
    assert asked == ["Describe the object located at (0,0,56,56)?"]


def test_bad_pictures(model: Predictor, tmp_path: Path):
    for ask in (model.locate, model.ask):
        with pytest.raises(InputError, match="no such file"):
            ask(tmp_path / "none.jpg", "dog")
    with pytest.raises(InputError, match="no such file"):
        model.describe(tmp_path / "none.jpg", Point(0, 0))


def test_cut_answers_are_counted(model: Predictor):
    model.answer(photo(), QUESTIONS, max_new_tokens=1)
    assert model.truncated == len(QUESTIONS)
    with pytest.raises(ValueError, match="max_new_tokens"):
        model.answer(photo(), QUESTIONS, max_new_tokens=0)


def test_load_by_folder(small_base: Path):
    loaded = locvlm.load(small_base)
    assert isinstance(loaded, Predictor)
    assert loaded.name == str(small_base)
    assert loaded.frame((640, 480)).model == (56, 56)


def test_of_several_it_is_told_which_one_the_processor_refuses() -> None:
    model, processor = families.build("qwen3_vl")
    asked = [(photo(0), ["cat?"]), (photo(1, (1, 400)), ["cat?"]), (photo(2), ["cat?"])]
    for images in (1, 2):
        predictor = Predictor(model, processor, get("qwen3-vl"))
        predictor.batching = Batching(images=images)
        with pytest.raises(UnusableImageError, match="1 x 400 pixels is refused") as raised:
            predictor.answer_all(asked, max_new_tokens=2)
        assert raised.value.place == 1


def test_a_location_outside_of_what_the_model_sees():
    """Of a picture of 120 x 60 a LLaVA-1.5 sees x from 30 to 90."""
    cropping = Predictor(*families.build("llava"), get("ivb"))
    asked = saying(cropping, "A dog.", "A dog.")
    picture = photo(size=(120, 60))
    for place in (Box(2, 10, 28, 30), Point(95, 5)):
        with pytest.raises(InputError, match=r"outside of what the model sees .*, 30,0,90,60: its"):
            cropping.describe(picture, place)
    assert not asked
    assert cropping.describe_many(picture, [Box(2, 10, 50, 30), Point(40, 5)]) == ["A dog."] * 2
