import pytest
import torch

from locvlm.inference import speculation
from locvlm.inference.decoding import Answer, Prefix, decode, read_prefix
from locvlm.inference.sampling import Sampling
from locvlm.inference.speculation import common_start
from locvlm.models.load import Loaded

LIMIT = 12
QUESTIONS = [[9], [40, 41, 42, 43, 44, 45, 46], [17, 300], [200] * 30]


@pytest.fixture(scope="module")
def prefix(small_model: Loaded) -> Prefix:
    image_token = small_model.model.config.image_token_id
    ids = torch.tensor([[1, 50, *[image_token] * 16, 51, 52]])
    pixels = torch.randn(1, 3, 56, 56, generator=torch.Generator().manual_seed(0))
    return read_prefix(small_model.model, {"input_ids": ids, "pixel_values": pixels})


def plain(model, prefix: Prefix, question, stops=(), limit: int = LIMIT) -> Answer:
    return decode(model, [prefix], [question], stops, limit)[0]


@pytest.mark.parametrize("question", QUESTIONS)
def test_any_guess_gives_the_same_answer(small_model: Loaded, prefix: Prefix, question):
    model = small_model.model
    right = plain(model, prefix, question).ids
    wrong = [(token + 1) % 300 for token in right]
    for guesses in (
        [],
        [[]],
        [right],
        [[*right, 5, 6, 7, 8]],  # beyond the limit
        [wrong],
        [right[:5] + wrong[5:]],
        [right[:3]],
        [wrong, right],
        [[right[0], *wrong], right],
    ):
        for stops in (set(), {right[0]}, {right[4]}, {right[-1]}):
            for limit in (1, 2, 5, LIMIT):
                found = speculation.decode_speculatively(
                    model, prefix, question, stops, limit, guesses
                )
                assert found == plain(model, prefix, question, stops, limit), (guesses, stops)


@pytest.mark.parametrize("question", QUESTIONS)
def test_any_guess_gives_the_same_drawn_answer(small_model: Loaded, prefix: Prefix, question):
    model, draws = small_model.model, Sampling(1.0).draws([("", question, 1)], LIMIT)
    [answer] = decode(model, [prefix], [question], (), LIMIT, draws)
    right = answer.ids
    assert right != plain(model, prefix, question).ids
    wrong = [(token + 1) % 300 for token in right]
    for guesses in ([], [right], [[*right, 5, 6, 7]], [wrong], [right[:5] + wrong[5:]]):
        for stops in (set(), {right[4]}):
            given = (model, prefix, question, stops, LIMIT, guesses, draws)
            found = speculation.decode_speculatively(*given)
            assert found == decode(model, [prefix], [question], stops, LIMIT, draws)[0]


def test_what_is_right_takes_one_pass(
    small_model: Loaded, prefix: Prefix, monkeypatch: pytest.MonkeyPatch
):
    right = plain(small_model.model, prefix, QUESTIONS[0]).ids
    read, passes = speculation._read, []
    monkeypatch.setattr(
        speculation, "_read", lambda *given: passes.append(len(given[3])) or read(*given)
    )
    stops = {token for token in right[6:] if token not in right[:6]}
    assert stops
    found = speculation.decode_speculatively(
        small_model.model, prefix, QUESTIONS[0], stops, 50, [right[:6]]
    )
    assert found.complete
    assert passes[0] == 7
    assert len(passes) == len(found.ids) - 5


def test_the_prefix_is_not_worn_out(small_model: Loaded, prefix: Prefix):
    before = [layer.keys.clone() for layer in prefix.cache.layers]
    speculation.decode_speculatively(small_model.model, prefix, [9], (), LIMIT, [[3, 4, 5, 6]])
    for layer, keys in zip(prefix.cache.layers, before, strict=True):
        assert torch.equal(layer.keys, keys)


def test_a_cache_that_forgets_cannot_go_back(prefix: Prefix):
    class Window:
        pass

    assert speculation.can_guess(prefix)
    cache = type("Cache", (), {"layers": [*prefix.cache.layers, Window()]})()
    assert not speculation.can_guess(Prefix(cache, prefix.length))


def test_common_start():
    assert common_start([[1, 2, 3]]) == [1, 2, 3]
    assert common_start([[1, 2, 3], [1, 2, 4], [1, 2, 3, 5]]) == [1, 2]
    assert common_start([[1], [2]]) == []
    assert common_start([[], [1]]) == []
