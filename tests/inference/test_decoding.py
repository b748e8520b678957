import pytest
import torch

from locvlm.inference import speculation
from locvlm.inference.decoding import (
    Prefix,
    can_batch_images,
    decode,
    join_caches,
    read_prefix,
    read_prefixes,
)
from locvlm.inference.likelihood import log_likelihoods
from locvlm.models.load import Loaded

LIMIT = 12
QUESTIONS = [[9], [40, 41, 42, 43, 44, 45, 46], [17, 300], [40, 41, 42], [200] * 30]


@pytest.fixture(scope="module")
def inputs(small_model: Loaded) -> dict[str, torch.Tensor]:
    """Chat and picture before the question: 20 tokens."""
    image_token = small_model.model.config.image_token_id
    ids = torch.tensor([[1, 50, *[image_token] * 16, 51, 52]])
    pixels = torch.randn(1, 3, 56, 56, generator=torch.Generator().manual_seed(0))
    return {"input_ids": ids, "pixel_values": pixels}


@pytest.fixture(scope="module")
def prefix(small_model: Loaded, inputs: dict[str, torch.Tensor]) -> Prefix:
    return read_prefix(small_model.model, inputs)


def ids_of(model, prefix: Prefix, questions, stops=(), limit: int = LIMIT) -> list[list[int]]:
    return [
        answer.ids for answer in decode(model, [prefix] * len(questions), questions, stops, limit)
    ]


def test_as_the_stock_generate_answers(small_model: Loaded, inputs, prefix: Prefix):
    """Whole prompt, no shared prefix, no batch: transformers' own way."""
    found = ids_of(small_model.model, prefix, QUESTIONS)
    for question, answer in zip(QUESTIONS, found, strict=True):
        prompt = torch.cat([inputs["input_ids"], torch.tensor([question])], dim=1)
        stock = small_model.model.generate(
            input_ids=prompt,
            attention_mask=torch.ones_like(prompt),
            pixel_values=inputs["pixel_values"],
            do_sample=False,
            max_new_tokens=LIMIT,
            eos_token_id=-1,
        )
        assert answer == stock[0, prompt.shape[1] :].tolist()
    assert len({tuple(answer) for answer in found}) == len(QUESTIONS)  # they do differ


def test_together_as_alone(small_model: Loaded, prefix: Prefix):
    together = ids_of(small_model.model, prefix, QUESTIONS)
    assert together == [ids_of(small_model.model, prefix, [q])[0] for q in QUESTIONS]


def test_the_prefix_is_not_worn_out(small_model: Loaded, prefix: Prefix):
    first = ids_of(small_model.model, prefix, QUESTIONS)
    assert ids_of(small_model.model, prefix, QUESTIONS) == first
    assert prefix.length == prefix.cache.get_seq_length() == 20


def test_each_answer_stops_by_itself(small_model: Loaded, prefix: Prefix):
    free = ids_of(small_model.model, prefix, QUESTIONS)
    stops = {free[0][0], free[1][4]}  # at once, in the middle
    answers = decode(small_model.model, [prefix] * len(QUESTIONS), QUESTIONS, stops, LIMIT)
    for answer, ids in zip(answers, free, strict=True):
        end = next((i for i, token in enumerate(ids) if token in stops), None)
        assert answer.ids == ids[:end]
        assert answer.complete == (end is not None)
    assert answers[0].ids == []
    assert {answer.complete for answer in answers} == {True, False}


@pytest.mark.parametrize("steps", [2, 5, LIMIT, 99])
def test_seldom_looked_at_the_answers_are_the_same(small_model: Loaded, prefix: Prefix, steps: int):
    """What is said after the end is cut off, wherever the end is."""
    model, prefixes = small_model.model, [prefix] * len(QUESTIONS)
    free = ids_of(model, prefix, QUESTIONS)
    for stops in (set(), {free[0][0]}, {free[0][0], free[1][4]}, {free[2][-1]}, set(free[3])):
        for limit in (1, 4, LIMIT):
            found = decode(model, prefixes, QUESTIONS, stops, limit, steps=steps)
            assert found == decode(model, prefixes, QUESTIONS, stops, limit)


def test_few_passes_after_all_have_ended(small_model: Loaded, prefix: Prefix):
    free = ids_of(small_model.model, prefix, QUESTIONS)
    passes = []

    def choose(logits: torch.Tensor, rows, places) -> torch.Tensor:
        passes.append(len(logits))
        return logits.argmax(-1)

    stops = {ids[0] for ids in free[1:]} | {free[0][1]}
    decode(small_model.model, [prefix] * len(QUESTIONS), QUESTIONS, stops, 50, choose, steps=4)
    assert passes == [len(QUESTIONS)] * 4


def test_one_token_and_one_question(small_model: Loaded, prefix: Prefix):
    [answer] = decode(small_model.model, [prefix], [[9]], {2}, 1)
    assert len(answer.ids) == 1
    assert not answer.complete


def test_another_picture_is_another_answer(small_model: Loaded, inputs, prefix: Prefix):
    other = read_prefix(small_model.model, inputs | {"pixel_values": -inputs["pixel_values"]})
    assert ids_of(small_model.model, other, QUESTIONS) != ids_of(
        small_model.model, prefix, QUESTIONS
    )


def test_pictures_together_as_alone(small_model: Loaded, inputs, prefix: Prefix):
    other = read_prefix(small_model.model, inputs | {"pixel_values": -inputs["pixel_values"]})
    prefixes = [prefix, other, prefix, other, other]
    together = decode(small_model.model, prefixes, QUESTIONS, {2}, LIMIT)
    for answer, before, question in zip(together, prefixes, QUESTIONS, strict=True):
        assert [answer] == decode(small_model.model, [before], [question], {2}, LIMIT)


def test_pictures_read_in_one_pass(small_model: Loaded, inputs, prefix: Prefix):
    """Each remembered as if it had been read alone, and mixed with others that were."""
    model = small_model.model
    assert can_batch_images(model)
    pixels = [inputs["pixel_values"], -inputs["pixel_values"], inputs["pixel_values"] / 2]
    rows = {"input_ids": inputs["input_ids"].repeat(3, 1), "pixel_values": torch.cat(pixels)}
    found = read_prefixes(model, rows)
    alone = [read_prefix(model, inputs | {"pixel_values": one}) for one in pixels]
    for one, other in zip(found, alone, strict=True):
        for mine, its in zip(join_caches([one]).layers, join_caches([other]).layers, strict=True):
            torch.testing.assert_close(mine.keys, its.keys)
            torch.testing.assert_close(mine.values, its.values)
    order = [2, 0, 2, 1, 0]
    mixed = [found[2], prefix, alone[2], found[1], found[0]]
    answers = decode(model, mixed, QUESTIONS, {2}, LIMIT)
    assert answers == decode(model, [alone[i] for i in order], QUESTIONS, {2}, LIMIT)
    assert len({tuple(answer.ids) for answer in answers}) > 1
    guessed = [
        speculation.decode_speculatively(model, found[i], QUESTIONS[0], {2}, LIMIT, [])
        for i in range(3)
    ]
    assert guessed == [decode(model, [one], QUESTIONS[:1], {2}, LIMIT)[0] for one in alone]
    said = [[7, 2], [80, 81, 82], [2], [5], [6, 6]]
    assert log_likelihoods(model, mixed, QUESTIONS, said) == pytest.approx(
        log_likelihoods(model, [alone[i] for i in order], QUESTIONS, said), abs=1e-4
    )
