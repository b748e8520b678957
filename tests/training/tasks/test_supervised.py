"""Losses over packed questions and cached features equal those of the stock model."""

from collections.abc import Iterator
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from locvlm.geometry import Box
from locvlm.instructions.base import Conversation, Instruction
from locvlm.models.load import Loaded
from locvlm.training.auxiliary import attention_guidance
from locvlm.training.data.collator import IGNORED, Collator, EncodedConversation
from locvlm.training.data.feature_cache import FeatureStore, use_cached_features
from locvlm.training.data.packed_rows import build_packed_batch
from locvlm.training.data.padded_rows import build_padded_batch
from locvlm.training.data.sampler import VisitSampler
from locvlm.training.data.training_batch import TrainingBatch
from locvlm.training.engine.block_attention import use_block_attention
from locvlm.training.tasks.supervised import AnswerTask, answer_loss

DOG = Instruction("locpred", "Where is the dog?", "It is located at {loc}", (Box(3, 4, 30, 20),))
ITEMS = (
    DOG,
    Instruction(
        "revloc", "Describe the object located at {loc}?", "There is a cat.", DOG.locations
    ),
    Instruction("category", "Is it a dog?", "There is no such object in the image."),
)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "1.png"
    Image.linear_gradient("L").resize((50, 40)).convert("RGB").save(path)
    return path


@pytest.fixture
def model(small_model: Loaded) -> Iterator[Any]:
    """The small model as it is trained."""
    copy: Any = deepcopy(small_model.model)
    with use_block_attention(copy), use_cached_features(copy):
        yield copy


def answering(loaded: Loaded, picture: Path, *items: Instruction, guidance: float = 0.0) -> Any:
    store = FeatureStore(picture.parent / "features", {picture: (50, 40)}, (16, 64), "small")
    store.compute(loaded.model, loaded.processor)
    visits = VisitSampler(
        [Conversation(str(picture), 50, 40, items)],
        {item.objective: 1 for item in items},
        20,
        flip=False,
    )
    guided = guidance > 0
    collator = Collator(loaded.processor, loaded.coordinates, guided=guided)
    layout = partial(build_packed_batch, guided=guided)
    return AnswerTask(visits, collator, 4, layout, features=store, guidance=guidance)


def stock_loss(loaded: Loaded, task: Any, picture: Path) -> torch.Tensor:
    """Mean over all learned tokens, each question asked alone of the unchanged model."""
    encoded = task.data[0]
    pixels = loaded.processor.image_processor([Image.open(picture)], return_tensors="pt")
    total, count, start = torch.zeros(()), 0, encoded.prefix
    for length in encoded.lengths:
        rows = [*range(encoded.prefix), *range(start, start + length)]
        labels = encoded.labels[rows][None]
        loss = loaded.model(
            input_ids=encoded.input_ids[rows][None], labels=labels, use_cache=False, **pixels
        ).loss
        learned = int((labels != -100).sum())
        total, count, start = total + loss * learned, count + learned, start + length
    return total / count


@pytest.mark.parametrize("count", [1, 3])
def test_as_if_asked_alone(small_model: Loaded, model: Any, picture: Path, count: int) -> None:
    task = answering(small_model, picture, *ITEMS[:count])
    with torch.no_grad():
        loss, figures = task.loss(model, task.batch([task.data[0]]))
        expected = stock_loss(small_model, task, picture)
    torch.testing.assert_close(loss, expected, rtol=1e-3, atol=1e-3)  # float16 features
    assert figures["learned_tokens"] == int((task.data[0].labels != -100).sum())
    assert float(figures["answer_loss"]) == pytest.approx(float(loss))
    assert "guidance_loss" not in figures


def test_guidance_is_added_by_its_weight(
    small_model: Loaded, model: Any, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention_guidance, "SHALLOW", 0)  # the small model has two
    task = answering(small_model, picture, DOG)
    plain, _ = task.loss(model, task.batch([task.data[0]]))
    task = answering(small_model, picture, DOG, guidance=0.5)
    loss, figures = task.loss(model, task.batch([task.data[0]]))
    assert figures["guidance_loss"] > 0
    expected = float(plain) + 0.5 * float(figures["guidance_loss"])
    assert float(loss) == pytest.approx(expected, rel=1e-4)


def test_a_picture_counts_as_one_however_much_is_learned_about_it() -> None:
    first, second = conversation([4]), conversation([1, 2])
    batch = build_padded_batch([first, second], pad=0)
    logits = torch.randn(3, 5, 7, generator=torch.Generator().manual_seed(0))
    loss, _ = answer_loss(logits, batch)
    one = F.cross_entropy(logits[0, :4], torch.tensor([1, 2, 3, 4]))
    told = torch.cat([logits[1, 3:4], logits[2, 2:4]])
    two = F.cross_entropy(told, torch.tensor([1, 1, 2]))
    torch.testing.assert_close(loss, (one + two) / 2)


@pytest.mark.parametrize(
    "lay", [build_packed_batch, partial(build_padded_batch, pad=0)], ids=["packed", "padded"]
)
def test_what_all_rows_count_is_one(lay: Any) -> None:
    batch: TrainingBatch = lay([conversation([4]), conversation([1, 2, 3]), conversation([2])])
    assert float(batch.weights.sum()) == pytest.approx(1)
    assert len(batch.labels) == len(batch.logit_index) == len(batch.weights) == 12
    assert (batch.images, batch.answers) == (3, 5)


def conversation(answers: list[int]) -> EncodedConversation:
    """Two tokens of a picture, and questions of one token with answers 1, 2, … of so many."""
    ids, labels, positions = [6, 6], [IGNORED] * 2, [0, 1]
    for length in answers:
        said = list(range(1, length + 1))
        ids, labels = [*ids, 5, *said], [*labels, IGNORED, *said]
        positions += range(2, 3 + length)
    return EncodedConversation(
        torch.tensor(ids),
        torch.tensor(labels),
        torch.tensor(positions),
        2,
        tuple(length + 1 for length in answers),
        torch.zeros(len(answers), 2, dtype=torch.bool),
    )
