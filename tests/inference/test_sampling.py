"""Drawn answers: as often as their probabilities say, and each the same whatever is beside it."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from locvlm.errors import InputError
from locvlm.inference import sampling as module
from locvlm.inference.batching import Batching
from locvlm.inference.predictor import Predictor
from locvlm.inference.sampling import Sampling, digest_view, draw_tokens, sampling_at
from locvlm.media.clips import Clip
from locvlm.models.load import Loaded

QUESTIONS = ["Where is the dog?", "a", "Describe the object located at (4,52,13,6)?", "cat? " * 9]
PINNED = [0.21003527033881642, 0.8227038056116701, 0.8447086543935858]


def photo(seed: int = 0) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 255, (28, 112, 3), dtype=np.uint8)
    return Image.fromarray(noise)


def predictor(small_model: Loaded, sampling: Sampling | None) -> Predictor:
    loaded = (small_model.model, small_model.processor, small_model.coordinates)
    found = Predictor(*loaded, sampling=sampling)
    found._chat.decode = lambda ids: ids  # the tokens themselves
    return found


@pytest.fixture
def drawing(small_model: Loaded) -> Predictor:
    return predictor(small_model, Sampling(0.5, seed=3))


def chi_square(drawn: list[int], chances: torch.Tensor) -> tuple[float, int]:
    """The statistic and its degrees of freedom; tokens that are expected seldom are one."""
    expected = chances.double().numpy() * len(drawn)
    counts = np.bincount(drawn, minlength=len(expected))
    often = expected >= 5
    pairs = [*zip(counts[often], expected[often], strict=True)]
    if expected[~often].sum() > 0:
        pairs.append((counts[~often].sum(), expected[~often].sum()))
    return sum((a - b) ** 2 / b for a, b in pairs), len(pairs) - 1


def is_likely(statistic: float, freedom: int) -> bool:
    """Within 4 standard deviations of what chance gives."""
    return statistic < freedom + 4 * (2 * freedom) ** 0.5


@pytest.mark.parametrize("temperature", [0.2, 1.0, 3.0])
def test_tokens_are_drawn_as_often_as_they_are_likely(temperature: float):
    logits = torch.randn(40, generator=torch.Generator().manual_seed(1))
    sampling, n = Sampling(temperature), 20_000
    keys = [("", [i], 1) for i in range(n)]  # of questions: each draws its first token
    draws = sampling.draws(keys, 1)
    drawn = draws(logits.expand(n, -1), range(n), [0] * n).tolist()
    chances = (logits.double() / temperature).softmax(-1)
    assert is_likely(*chi_square(drawn, chances))
    assert not is_likely(*chi_square(drawn, (logits.double() / (1.5 * temperature)).softmax(-1)))


def test_a_models_tokens_are_drawn_as_often_as_they_are_likely(small_model: Loaded):
    """The first token, and the second after the commonest first."""
    temperature, n = 0.5, 3000
    drawing = predictor(small_model, Sampling(temperature))
    drawing.batching = Batching(questions=500)
    samples = drawing.sample_all([(photo(), QUESTIONS[:1])], n, max_new_tokens=2)
    answers = [group[0] for [group] in samples]
    stops = drawing._batched.stops
    ids = drawing._chat.prefix(photo())
    question = torch.tensor([drawing._encode_question(QUESTIONS[0])])
    rest = {"pixel_values": ids["pixel_values"]}
    prompt = torch.cat([ids["input_ids"], question], 1)
    first = Counter(answer[0] for answer in answers if answer).most_common(1)[0][0]
    with torch.inference_mode():
        model = small_model.model
        logits = model(input_ids=prompt, **rest).logits[0, -1]
        longer = torch.cat([prompt, torch.tensor([[first]])], 1)
        after = model(input_ids=longer, **rest).logits[0, -1]
    end = min(stops)
    firsts = [answer[0] if answer else end for answer in answers]
    chances = (logits / temperature).softmax(-1)
    chances[end] = chances[list(stops)].sum()
    assert len(set(firsts)) > 5
    assert is_likely(*chi_square(firsts, chances))
    seconds = [[*answer, end][1] for answer in answers if answer[:1] == [first]]
    chances = (after / temperature).softmax(-1)
    chances[end] = chances[list(stops)].sum()
    assert len(seconds) > 300
    assert is_likely(*chi_square(seconds, chances))


@given(
    st.lists(st.floats(-30, 30) | st.just(float("-inf")), min_size=1, max_size=8),
    st.floats(0, 1, exclude_max=True),
    st.floats(module.LEAST, 10),
)
def test_a_token_is_that_whose_share_holds_the_number(logits, number, temperature):
    row = torch.tensor([logits])
    if torch.isinf(row).all():
        row[0, 0] = 0
    token = int(draw_tokens(row, torch.tensor([number], dtype=torch.float64), temperature))
    assert row[0, token] > -torch.inf
    shares = (row.double() / temperature).softmax(-1)[0]
    sums = shares.cumsum(-1)
    assert sums[token] - shares[token] - 1e-5 <= number <= sums[token] + 1e-5


def test_the_last_of_all_numbers():
    last = torch.tensor([1 - 2.0**-53], dtype=torch.float64)
    for seed in range(50):
        logits = torch.randn(1, 1000, generator=torch.Generator().manual_seed(seed))
        assert int(draw_tokens(logits, last, 1.0)) == 999
        assert int(draw_tokens(logits, torch.zeros(1, dtype=torch.float64), 1.0)) == 0


def test_many_rows_are_drawn_in_parts(monkeypatch: pytest.MonkeyPatch):
    logits = torch.randn(9, 20, generator=torch.Generator().manual_seed(0))
    draws = Sampling(1.0).draws([("", [i], 1) for i in range(9)], 3)
    whole = draws(logits, range(9), [2] * 9)
    monkeypatch.setattr(module, "_ROWS", 4)
    assert draws(logits, range(9), [2] * 9).tolist() == whole.tolist()
    some = draws(logits[[7, 2]], [7, 2], [2, 2])
    assert some.tolist() == whole[[7, 2]].tolist()


def test_numbers_are_for_ever():
    """A run that goes on years later draws as it did."""
    numbers = Sampling(0.2, seed=0).numbers("image", [1, 2], 1, 3)
    assert numbers.tolist() == PINNED
    assert Sampling(0.7, seed=0).numbers("image", [1, 2], 1, 2).tolist() == PINNED[:2]
    others = [
        Sampling(0.2, seed=1).numbers("image", [1, 2], 1, 3),
        Sampling(0.2).numbers("other", [1, 2], 1, 3),
        Sampling(0.2).numbers("image", [12], 1, 3),
        Sampling(0.2).numbers("image", [1, 2], 2, 3),
    ]
    assert len({tuple(each) for each in (numbers, *others)}) == 5


def test_images_are_told_apart():
    one, other = photo(0), photo(1)
    turned = one.rotate(90, expand=True)
    clips = [Clip((one, other), (0, 1)), Clip((other, one), (0, 1)), Clip((one,), (0,))]
    found = [digest_view(view) for view in (one, other, turned, one.resize((28, 112)), *clips[:2])]
    assert len(set(found)) == 6
    assert digest_view(one.copy()) == found[0] == digest_view(clips[2])


def test_a_path_is_its_image(drawing: Predictor, tmp_path: Path):
    photo().save(tmp_path / "photo.png")
    answers = drawing.answer(photo(), QUESTIONS)
    assert drawing.answer(tmp_path / "photo.png", QUESTIONS) == answers
    assert drawing.answer_all([(tmp_path / "photo.png", QUESTIONS), (photo(), [])])[0] == answers


def test_the_same_alone_together_and_in_any_order(drawing: Predictor):
    asked = [(photo(0), QUESTIONS), (photo(1), QUESTIONS[:2])]
    together = drawing.answer_all(asked, max_new_tokens=10)
    alone = [[drawing.answer(view, [q], max_new_tokens=10)[0] for q in qs] for view, qs in asked]
    assert together == alone  # of one question, words are guessed
    for batching in (Batching(questions=1), Batching(questions=3), Batching(512, 8, 4)):
        drawing.batching = batching
        assert drawing.answer_all(asked, max_new_tokens=10) == together
        backwards = drawing.answer_all([(v, qs[::-1]) for v, qs in asked[::-1]], max_new_tokens=10)
        assert [qs[::-1] for qs in backwards[::-1]] == together
    assert together[0][:2] != together[1]
    shorter = drawing.answer(photo(0), QUESTIONS, max_new_tokens=4)
    assert shorter == [answer[:4] for answer in together[0]]


def test_samples_are_different_and_their_own(drawing: Predictor):
    asked = [(photo(0), QUESTIONS), (photo(1), []), (photo(1), QUESTIONS[:2])]
    samples = drawing.sample_all(asked, 3, max_new_tokens=8)
    assert [[len(group) for group in groups] for groups in samples] == [[4, 0, 2]] * 3
    assert len({str(groups) for groups in samples}) == 3
    assert drawing.cut_answers == [len(a) == 8 for groups in samples for g in groups for a in g]
    drawing.batching = Batching(questions=4)
    assert drawing.sample_all(asked, 3, max_new_tokens=8) == samples
    assert drawing.sample_all(asked, 2, max_new_tokens=8) == samples[:2]
    assert drawing.answer_all(asked, max_new_tokens=8) == samples[0]


def test_another_seed_is_another_answer(small_model: Loaded, drawing: Predictor):
    given = (photo(0), QUESTIONS)
    first = drawing.answer(*given)
    assert predictor(small_model, Sampling(0.5, seed=3)).answer(*given) == first
    assert predictor(small_model, Sampling(0.5, seed=4)).answer(*given) != first
    assert predictor(small_model, None).answer(*given) != first


def test_hardly_any_temperature_is_greedy(small_model: Loaded):
    greedy, cold = (predictor(small_model, it) for it in (None, Sampling(module.LEAST)))
    asked = [(photo(0), QUESTIONS), (photo(1), QUESTIONS)]
    assert cold.answer_all(asked) == greedy.answer_all(asked)
    assert greedy.sample_all(asked, 2) == [greedy.answer_all(asked)] * 2


def test_what_is_no_temperature():
    assert sampling_at(0) is sampling_at(0.0, 7) is None
    assert sampling_at(1, 7) == Sampling(1.0, 7)
    for wrong in (-0.2, 1e-9, float("nan"), float("inf")):
        with pytest.raises(InputError, match="temperature must be 0"):
            sampling_at(wrong)


def test_the_record(small_model: Loaded):
    assert predictor(small_model, Sampling(0.2, 5)).decoding == {
        "method": "multinomial",
        "temperature": 0.2,
        "seed": 5,
        "max_new_tokens": 64,
        "dtype": "float32",
    }
    assert predictor(small_model, None).decoding["method"] == "greedy"
    with pytest.raises(ValueError, match="at least 1"):
        predictor(small_model, None).sample_all([], 0)
    assert replace(Sampling(0.2), seed=5).record["seed"] == 5
