from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from locvlm.evaluation.questions import presence

names = st.lists(st.sampled_from("abcdefgh"), unique=True)


@given(names, st.text())
def test_two_of_each_or_none(present, key):
    absent = [name for name in "abcdefgh" if name not in present]
    skipped = Counter()
    drawn = presence.draw_objects(present, absent, key, skipped)
    if min(len(present), len(absent)) < 2:
        assert drawn == []
        assert sum(skipped.values()) == 1
    else:
        assert [expected for _, expected in drawn] == ["yes", "yes", "no", "no"]
        assert all((name in present) == (expected == "yes") for name, expected in drawn)
        assert len(set(drawn)) == 4
        assert not skipped
    assert drawn == presence.draw_objects(present, absent, key, Counter())


def test_why_there_are_none():
    skipped = Counter()
    assert presence.draw_objects([], [], "0", skipped) == []
    assert presence.draw_objects(["a", "b"], ["c"], "0", skipped) == []
    assert skipped == {"fewer than 2 categories present": 1, "fewer than 2 categories absent": 1}


def test_the_question():
    question = presence.make_question("hal-act", 7, "7.mp4", "dog", "no", kind="video")
    assert question.id == "7/dog"
    assert question.instruction.question == "Is there dog in this video?"
    assert question.instruction.answer == "No"
