"""Guided attention: which patches count, and what its loss rewards."""

import numpy as np
import pytest
import torch
from PIL import Image

from locvlm import coordinates
from locvlm.geometry import Box, Frame, Point
from locvlm.instructions.base import Conversation, Instruction, flip
from locvlm.models.load import Loaded
from locvlm.training.auxiliary.attention_guidance import (
    MIN_ATTENTION,
    SHALLOW,
    Guide,
    Guides,
    guided_layers,
    patch_mask,
)
from locvlm.training.data.collator import Collator
from tests import families

DEPTH = 30  # layers of LocVLM-Tiny
LAYERS = guided_layers(DEPTH)
FRAME = Frame.resize((80, 40), 4)  # four patches a side are 20 x 10 original pixels each


def where(*places):
    return sorted(np.flatnonzero(patch_mask(places, FRAME, (4, 4))))


def test_guided_layers_are_spread_over_the_middle():
    assert {8, 12, 16, 20, 24} == LAYERS
    assert guided_layers(SHALLOW) == set()
    for depth in range(SHALLOW + 1, 100):
        layers = guided_layers(depth)
        assert len(layers) == 5
        assert min(layers) > 0 and max(layers) < depth - 1


def test_nothing_covers_nothing():
    assert where() == []


def test_patches_are_rows_first():
    assert where(Box(20, 0, 60, 10)) == [1, 2]
    assert where(Box(0, 10, 20, 40)) == [4, 8, 12]


def test_a_speck_and_a_point_still_have_a_patch():
    assert where(Box(1, 1, 2, 2)) == [0]
    assert where(Point(80, 40)) == [15]


def test_several_boxes_unite():
    assert where(Box(0, 0, 20, 10), Box(60, 30, 80, 40)) == [0, 15]


def test_a_box_outside_counts_at_the_border():
    assert where(Box(200, 0, 300, 10)) == [3]


def guide(*regions: list[bool]) -> Guide:
    return Guide(torch.tensor(regions), torch.ones(len(regions), 2, dtype=torch.bool))


def test_looking_there_costs_nothing_and_elsewhere_much():
    layer = min(LAYERS)
    weights = torch.zeros(1, 1, 1, 2, 3 + 2)
    weights[..., 0] = 1
    right, wrong = guide([True, False, False]), guide([False, True, False])
    right.record_attention(layer, DEPTH, weights)
    wrong.record_attention(layer, DEPTH, weights)
    assert Guides((right,)).loss() == 0
    assert Guides((wrong,)).loss() == pytest.approx(-np.log(MIN_ATTENTION))


def test_other_layers_and_questions_without_a_place_are_free():
    weights = torch.rand(1, 1, 1, 2, 5)
    free = guide([False, False, False])
    free.record_attention(min(LAYERS), DEPTH, weights)
    elsewhere = guide([True, False, False])
    elsewhere.record_attention(max(LAYERS) + 1, DEPTH, weights)
    assert Guides((free,)).loss() is None
    assert Guides((elsewhere, free)).loss() is None


def test_only_questions_with_a_place_count():
    """As if the others had not been asked."""
    layer, generator = min(LAYERS), torch.Generator().manual_seed(0)
    weights = torch.rand(2, 3, 3, 2, 3 + 2, generator=generator)
    some = guide([True, False, True], [False] * 3, [False, True, False])
    some.record_attention(layer, DEPTH, weights)
    alone = guide([True, False, True], [False, True, False])
    alone.record_attention(layer, DEPTH, weights[:, :, [0, 2]])
    torch.testing.assert_close(Guides((some,)).loss(), Guides((alone,)).loss())


def test_what_is_there_is_known_without_looking(monkeypatch: pytest.MonkeyPatch):
    """On another device, where to look would be to wait; and what is pinned is all of it."""
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: self.clone())
    before = Guides((guide([True, False, False]), guide([False] * 3)))
    there = before.pin_memory().to("meta", non_blocking=True)
    assert [row.asks for row in there.rows] == [True, False]
    there.rows[0].record_attention(min(LAYERS), DEPTH, torch.zeros(1, 1, 1, 2, 5, device="meta"))
    assert len(before.rows[0].losses) == 1


def test_rows_without_a_place_count_as_nothing():
    looking, free = guide([True, False, False]), guide([False, False, False])
    weights = torch.full((1, 2, 1, 2, 5), 0.2)
    for one in (looking, free):
        one.record_attention(min(LAYERS), DEPTH, weights)
    alone, both = Guides((looking,)).loss(), Guides((looking, free)).loss()
    assert alone is not None and both is not None
    assert float(both) == pytest.approx(float(alone) / 2)


def test_only_tokens_before_learned_ones_are_guided(small_model: Loaded):
    item = Instruction("revloc", "What is at {loc}?", "There is a cat.", (Box(0, 0, 56, 50),))
    conversation = Conversation("1.jpg", 224, 100, (item,))
    collator = Collator(small_model.processor, coordinates.get("ivb", bins=56))
    encoded = collator.encode(conversation)
    learned = collator.processor.tokenizer("There is a cat.<|im_end|>", add_special_tokens=False)
    assert encoded.guide.tokens.sum() == len(learned["input_ids"])
    assert not encoded.guide.tokens[0, -1]  # the end is learned, nothing after it


def test_a_flip_moves_the_evidence(small_model: Loaded):
    """Four patches a side; the left column becomes the right one."""
    item = Instruction("spatial", "Where?", "There.", evidence=(Box(0, 0, 56, 100),))
    conversation = Conversation("1.jpg", 224, 100, (item,))
    assert flip(conversation).instructions[0].evidence == (Box(168, 0, 224, 100),)
    collator = Collator(small_model.processor, small_model.coordinates, guided=True)
    patches = [
        collator.encode(conversation, flipped=flipped).regions.sum(0).nonzero()[:, 0]
        for flipped in (False, True)
    ]
    assert (patches[1] - patches[0]).tolist() == [3, 3, 3, 3]


def test_patches_are_those_of_the_pixels_that_are_seen_whatever_the_numbers_count() -> None:
    """Thousandths of the whole picture, of which the processor crops the middle out."""
    processor = families.build("llava")[1]
    box = Box(320, 200, 400, 280)
    item = Instruction("locpred", "Where is the dog?", "{loc}", (box,))
    conversation = Conversation("1.png", 640, 427, (item,))
    view = Image.new("RGB", (640, 427))
    regions = [
        Collator(processor, coordinates.get(name), guided=True).encode(conversation, view).regions
        for name in ("nfp", "qwen3-vl")
    ]
    assert regions[0].any()
    assert regions[0].sum() == regions[1].sum()
    assert regions[0].nonzero().tolist() == regions[1].nonzero().tolist()
