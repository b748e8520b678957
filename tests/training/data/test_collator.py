"""Conversations to tokens: what is learned, where positions restart, and flips."""

from typing import Any

import pytest
from PIL import Image

from locvlm import coordinates
from locvlm.errors import InputError
from locvlm.geometry import Box, Point
from locvlm.instructions.base import Conversation, Instruction
from locvlm.models.load import Loaded
from locvlm.training.data.collator import IGNORED, Collator, EncodedConversation

LOCATE = Instruction(
    "locpred",
    "Where is the object described dog located in image in terms of {repr}?",
    "It is located at {loc}",
    (Box(0, 0, 112, 50),),
)
DESCRIBE = Instruction(
    "revloc", "Describe the object located at {loc}?", "There is a cat.", (Point(56, 25),), "point"
)
SIDE = Instruction("spatial", "Which side of cat is dog located?", "On the left.")
# 224 x 100 original pixels; the small model sees 56 x 56 and writes 56 bins
THREE = Conversation("1.jpg", 224, 100, (LOCATE, DESCRIBE, SIDE))


@pytest.fixture
def collator(small_model: Loaded) -> Collator:
    return Collator(small_model.processor, small_model.coordinates)


def texts(collator: Collator, encoded: EncodedConversation) -> list[tuple[str, str]]:
    """What is asked and what is learned, of each question."""
    decode = collator.processor.tokenizer.decode
    start, pairs = encoded.prefix, []
    for length in encoded.lengths:
        ids = encoded.input_ids[start : start + length]
        learned = encoded.labels[start : start + length] != IGNORED
        pairs.append((decode(ids[~learned]), decode(ids[learned])))
        start += length
    return pairs


# What the model reads

END = "<|im_end|>"
ASK = END + "\n<|im_start|>assistant\n"


def test_the_text_is_the_chat_templates_own(collator: Collator) -> None:
    one = Conversation("1.jpg", 224, 100, (SIDE,))
    text = collator.processor.tokenizer.decode(collator.encode(one).input_ids)
    turns = [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": SIDE.question}]},
        {"role": "assistant", "content": SIDE.answer},
    ]
    whole = collator.processor.apply_chat_template(turns, tokenize=False)
    assert text == whole.replace("<image>", "<image>" * 16).rstrip("\n")


def test_loss_on_the_answers_only(collator: Collator) -> None:
    encoded = collator.encode(THREE)
    assert texts(collator, encoded) == [
        (
            "Where is the object described dog located in image in terms of (x1,y1,x2,y2) bbox?"
            + ASK,
            "It is located at (0,0,28,28)" + END,
        ),
        ("Describe the object located at (14,14)?" + ASK, "There is a cat." + END),
        ("Which side of cat is dog located?" + ASK, "On the left." + END),
    ]
    assert (encoded.labels[: encoded.prefix] == IGNORED).all()
    learned = encoded.labels != IGNORED
    assert (encoded.labels[learned] == encoded.input_ids[learned]).all()


def test_every_question_starts_right_after_the_prefix(collator: Collator) -> None:
    encoded = collator.encode(THREE)
    prefix = encoded.prefix
    assert len(encoded.input_ids) == prefix + sum(encoded.lengths)
    expected = list(range(prefix))
    for length in encoded.lengths:
        expected += range(prefix, prefix + length)
    assert encoded.position_ids.tolist() == expected
    assert prefix + sum(encoded.lengths) == len(encoded.input_ids)


def test_the_prefix_holds_the_picture_once(collator: Collator) -> None:
    encoded = collator.encode(THREE)
    image = collator.processor.tokenizer.convert_tokens_to_ids("<image>")
    assert int((encoded.input_ids[: encoded.prefix] == image).sum()) == 16
    assert int((encoded.input_ids == image).sum()) == 16


def test_a_question_has_the_same_tokens_in_any_company(collator: Collator) -> None:
    together = texts(collator, collator.encode(THREE))
    for item, pair in zip(THREE.instructions, together, strict=True):
        alone = collator.encode(Conversation("1.jpg", 224, 100, (item,)))
        assert texts(collator, alone) == [pair]


def test_the_format_writes_the_locations(small_model: Loaded) -> None:
    collator = Collator(small_model.processor, coordinates.get("nfp"))
    answer = texts(collator, collator.encode(THREE))[0][1]
    assert answer == "It is located at (0.0000,0.0000,0.5000,0.5000)" + END


# Flips


def test_flipped_moves_boxes_and_words(collator: Collator) -> None:
    (_, located), (asked, named), (_, side) = texts(collator, collator.encode(THREE, flipped=True))
    assert located == "It is located at (28,0,56,28)" + END
    assert asked == "Describe the object located at (42,14)?" + ASK
    assert named == "There is a cat." + END
    assert side == "On the right." + END


def test_a_flip_leaves_the_conversation_alone(collator: Collator) -> None:
    before = texts(collator, collator.encode(THREE))
    collator.encode(THREE, flipped=True)
    assert texts(collator, collator.encode(THREE)) == before


# Extremes


def test_nothing_to_learn_is_an_error(collator: Collator) -> None:
    with pytest.raises(ValueError, match=r"empty\.jpg: no token of this conversation"):
        collator.encode(Conversation("empty.jpg", 224, 100, ()))


def test_a_picture_of_one_pixel(collator: Collator) -> None:
    whole = Instruction("locpred", "Where?", "{loc}", (Box(0, 0, 1, 1),))
    encoded = collator.encode(Conversation("dot.jpg", 1, 1, (whole,)))
    assert texts(collator, encoded) == [("Where?" + ASK, "(0,0,56,56)" + END)]


def test_a_template_without_its_location_is_an_error(collator: Collator) -> None:
    bad = Instruction("locpred", "Where?", "{loc}", ())
    with pytest.raises(ValueError, match="locpred: 0 locations do not fill"):
        collator.encode(Conversation("1.jpg", 224, 100, (bad,)))


# Processors with other tokens for an image


def of_image(processor: Any, writes: str, token: str | None = "<image>") -> Any:
    """The processor as one that writes this where `token` stands."""

    class Other:
        tokenizer = processor.tokenizer
        image_processor = processor.image_processor
        chat_template = processor.chat_template
        apply_chat_template = processor.apply_chat_template

        def __call__(self, images: Any, text: str, **options: Any) -> Any:
            return self.tokenizer(text.replace("<image>", writes), return_tensors="pt")

    if token is not None:
        Other.image_token = token
        Other.image_token_id = processor.tokenizer.convert_tokens_to_ids(token)
    return Other()


VIEW = Image.new("RGB", (224, 100))
ONE = Conversation("1.jpg", 224, 100, (SIDE,))


def test_an_image_may_be_tokens_by_other_names(small_model: Loaded) -> None:
    """Ovis 2 and Molmo 2 write them in the place of the one that stands for an image."""
    other = of_image(small_model.processor, "cat cat")
    encoded = Collator(other, small_model.coordinates).encode(ONE, VIEW)
    text = small_model.processor.tokenizer.decode(encoded.input_ids)
    assert "cat cat" in text
    assert "<image>" not in text


def test_a_processor_without_a_token_for_images(small_model: Loaded) -> None:
    """PP-Chart2Table's chat template writes all tokens of an image itself."""
    other = of_image(small_model.processor, "<image>" * 4, token=None)
    encoded = Collator(other, small_model.coordinates).encode(ONE, VIEW)
    assert encoded.lengths


def test_a_processor_that_writes_no_token_for_the_image_is_refused(small_model: Loaded) -> None:
    other = of_image(small_model.processor, "<image>", token="<|im_end|>")
    other.chat_template = small_model.processor.chat_template
    other.image_token_id = -5
    with pytest.raises(InputError, match=r"^1.jpg: Other wrote no token for the image"):
        Collator(other, small_model.coordinates).encode(ONE, VIEW)
