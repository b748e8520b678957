import pytest

from locvlm.evaluation.metrics.side_words import has_word, opposite, score_side


@pytest.mark.parametrize(
    ("word", "other"),
    [("left", "right"), ("right", "left"), ("above", "below"), ("below", "above")],
)
def test_opposites(word, other):
    assert opposite(word) == other


@pytest.mark.parametrize(
    ("answer", "said"),
    [("LEFT.", True), ("leftover", False), ("", False), ("right Q: left", False)],
)
def test_whole_words_before_a_further_question(answer, said):
    assert has_word("left", answer) == said


def test_strict_is_without_the_other_word():
    assert score_side("above", "above, not below") == {"accuracy": True, "strict accuracy": False}
    assert score_side("above", "it is above") == {"accuracy": True, "strict accuracy": True}
