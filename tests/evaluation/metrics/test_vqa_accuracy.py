import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.evaluation.metrics.vqa_accuracy import accuracy, count_agreeing, normalize

texts = st.text("ab19 .,-'\n\t?", max_size=12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("?", ""),
        ("yes!", "yes"),
        # between words a mark becomes a space
        ("t-shirt", "t shirt"),
        ("black/white", "black white"),
        ("[a]{b}(c)", "b c"),
        ('"stop"', "stop"),
        ("x=y+z\\w_v>u<t@s`r;q", "x y z w v u t s r q"),
        # one that has a space beside it somewhere goes, everywhere in the text
        ("red, white", "red white"),
        ("black - white", "black white"),
        ("t-shirt -", "tshirt"),
        ("t-shirt- red", "tshirt red"),
        ("yes ?", "yes"),
        # those of another kind stand for themselves
        ("t-shirt ?", "t shirt"),
        # the text's edge is no space
        ("-5", "5"),
        ("5-", "5"),
        # these are no marks
        ("10:30", "10:30"),
        ("tom's & co*", "tom's & co*"),
    ],
)
def test_punctuation(text, expected):
    assert normalize(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,000", "1000"),
        ("1,000,000", "1000000"),
        ("red,white", "red white"),
        ("3,a", "3"),
        # a comma between digits makes the other marks go too
        ("1,000-2,000", "10002000"),
        ("$1,000/t-shirt", "$1000tshirt"),
    ],
)
def test_commas_between_digits(text, expected):
    assert normalize(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yes.", "yes"),
        ("2.5", "2.5"),
        ("2.", "2"),
        (".5", ".5"),
        ("u.s.a.", "usa"),
        ("a.5", "a.5"),
        ("...", ""),
        ("." * 33 + "x", ".x"),  # the official code stops after 32
    ],
)
def test_periods(text, expected):
    assert normalize(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a dog", "dog"),
        ("AN Apple", "apple"),
        ("on the left", "on left"),
        ("the", ""),
        ("a-frame", "frame"),
        ("theatre ana", "theatre ana"),
    ],
)
def test_articles(text, expected):
    assert normalize(text) == expected


def test_number_words():
    assert normalize("none zero one two three four five") == "0 0 1 2 3 4 5"
    assert normalize("Six SEVEN eight nine ten") == "6 7 8 9 10"
    assert normalize("eleven once") == "eleven once"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dont", "don't"),
        ("don't", "don't"),
        ("Its what whats", "its what what's"),
        ("couldntve", "couldntve"),  # without either of its two
        ("couldnt've", "couldn't've"),
        ("couldn'tve", "couldn't've"),
        ("5 oclock", "5 o'clock"),
        ("twas", "'twas"),
        ("ow's'at", "'ow's'at"),
        ("yall'd've y'allll", "y'all'd've y'all'll"),
        ("somebody'd", "somebodyd"),  # so in the official table
        ("Im", "im"),  # its "Im" is never met: the text is in lower case by then
        ("well shell ill", "well shell ill"),  # words of their own
        ("“dont”", "“dont”"),
    ],
)
def test_contractions(text, expected):
    assert normalize(text) == expected


@given(texts)
def test_what_is_left(text):
    words = normalize(text).split(" ")
    assert not {"a", "an", "the"}.intersection(words)
    assert "".join(words) == "" or all(words)
    assert not set(",-?\n\t").intersection("".join(words))


def test_normalized_only_where_people_differ():
    agreed = ["2 dogs"] * 10
    assert count_agreeing("2 dogs", agreed) == 10
    assert count_agreeing("Two dogs.", agreed) == 0
    assert count_agreeing("2 Dogs", agreed) == 0
    assert count_agreeing("Two dogs.", [*agreed[:9], "cat"]) == 9
    assert count_agreeing("Two dogs.", agreed, always=True) == 10


def test_truths_are_normalized_too():
    truths = ["The dog."] * 3 + ["a dog", "dog", "cat"]
    assert count_agreeing("dog", truths) == 5
    assert count_agreeing("dog", ["The dog."] * 6) == 0
    assert count_agreeing("The dog.", ["The dog."] * 6) == 6


def test_space_is_no_difference():
    truths = ["t-shirt"] * 5 + ["t-shirt\n"] * 3 + [" t-shirt\t"] * 2
    assert count_agreeing("\nt-shirt ", truths) == 10  # all agree, so nothing else is normalized
    assert count_agreeing("t shirt", truths) == 0
    assert count_agreeing("on\nleft", ["on left"] * 10) == 10
    assert count_agreeing("on  left", ["on left"] * 10) == 0


def test_empty_answers():
    assert count_agreeing("", ["yes"] * 10) == 0
    assert count_agreeing("the", ["", "yes"]) == 1  # nothing is left of it


@pytest.mark.parametrize(
    ("agreeing", "expected"), [(0, 0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1), (9, 1), (10, 1)]
)
def test_accuracy_of_ten(agreeing, expected):
    assert accuracy(agreeing, 10) == expected


def test_accuracy_of_few():
    assert accuracy(1, 1) == 0  # nobody else is left to agree
    assert accuracy(2, 2) == pytest.approx(1 / 3)
    assert accuracy(1, 3) == pytest.approx((0 + 1 / 3 + 1 / 3) / 3)


@given(st.integers(1, 30).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_accuracy_is_the_mean_over_people_left_out(pair):
    agreeing, n = pair
    gave = [True] * agreeing + [False] * (n - agreeing)
    left_out = [min(1, (agreeing - one) / 3) for one in gave]
    assert accuracy(agreeing, n) == pytest.approx(sum(left_out) / n)
