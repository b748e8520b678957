import time

import pytest

from locvlm import coordinates
from locvlm.evaluation.metrics.plain_text import has_location, is_refusal, repeats_itself
from locvlm.evaluation.task import AnswerContext
from locvlm.geometry import Frame

UNKNOWN = AnswerContext(None, None, ())


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("A dog at 10, 20, 30, 40.", True),
        ("[0.1,0.2,0.3,0.4]", True),
        ("<loc12><loc40>", True),
        ("<box>", True),
        ("In 2016, 2,000 people ran.", False),
        ("Two dogs, one cat, 3 birds.", False),
        ("", False),
    ],
)
def test_coordinates_are_seen_without_their_format(answer, found):
    assert has_location(answer, UNKNOWN) is found


def test_coordinates_are_seen_in_the_format_of_the_model():
    context = AnswerContext(coordinates.get("ivb", bins=224), Frame.identity((100, 100)), ())
    assert has_location("it is at (4,52,13,63)", context)
    assert not has_location("it is at the left", context)


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        ("Sorry, I cannot help.", True),
        ("There is no such object in the image", True),
        ("A man who can't swim.", False),
        ("A man.", False),
    ],
)
def test_refusals(answer, refused):
    assert is_refusal(answer) is refused


@pytest.mark.parametrize(
    ("answer", "repeats"),
    [
        ("no no no", True),
        ("no no", False),
        ("a b c a b c a b c", True),
        ("a b c a b c a b", False),
        ("", False),
    ],
)
def test_phrases_three_times_in_a_row(answer, repeats):
    assert repeats_itself(answer) is repeats


@pytest.mark.parametrize("answer", ["1" * 24_000 + "!"])
def test_long_runs_take_no_time(answer: str) -> None:
    begin = time.process_time()
    assert not has_location(answer, UNKNOWN)
    assert time.process_time() - begin < 0.5
