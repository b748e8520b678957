"""Visits: the same for the same seed, from whichever one a run goes on."""

from collections import Counter

import pytest

from locvlm.errors import InputError
from locvlm.instructions.base import Conversation, Instruction
from locvlm.training.data.sampler import VisitSampler


def conversation(name: str, **counts: int) -> Conversation:
    """A picture with so many questions of each objective."""
    items = [
        Instruction(objective, f"{objective} {number}?", "Yes.")
        for objective, count in counts.items()
        for number in range(count)
    ]
    return Conversation(name, 10, 10, tuple(items))


PICTURES = [conversation(f"{i}.jpg", locpred=6, revloc=3, caption=1) for i in range(7)]
QUESTIONS = {"locpred": 2, "revloc": 9}


def seen(visits: VisitSampler, numbers: range) -> list[tuple[str, tuple[Instruction, ...], bool]]:
    found = [visits.visit(number) for number in numbers]
    return [(v.conversation.image, v.conversation.instructions, v.flipped) for v in found]


def test_a_resumed_run_sees_what_an_unbroken_one_sees() -> None:
    whole = seen(VisitSampler(PICTURES, QUESTIONS, 20), range(30))
    resumed = seen(VisitSampler(PICTURES, QUESTIONS, 20), range(17, 30))
    assert resumed == whole[17:]


def test_another_seed_is_another_run() -> None:
    runs = [seen(VisitSampler(PICTURES, QUESTIONS, 20, seed=seed), range(30)) for seed in (0, 1)]
    assert runs[0] != runs[1]


def test_every_pass_visits_every_picture_once_in_a_new_order() -> None:
    names = [name for name, *_ in seen(VisitSampler(PICTURES, QUESTIONS, 20), range(14))]
    assert sorted(names[:7]) == sorted(names[7:]) == [f"{i}.jpg" for i in range(7)]
    assert names[:7] != names[7:]


def test_no_more_than_asked_for_of_each_objective() -> None:
    for _, items, _ in seen(VisitSampler(PICTURES, QUESTIONS, 20), range(14)):
        assert Counter(item.objective for item in items) == {"locpred": 2, "revloc": 3}
        assert len(set(items)) == len(items)


def test_no_more_than_asked_for_in_all() -> None:
    visits = seen(VisitSampler(PICTURES, QUESTIONS, 3), range(100))
    assert {len(items) for _, items, _ in visits} == {3}
    first = Counter(items[0].objective for _, items, _ in visits)
    assert first.keys() == {"locpred", "revloc"}  # the cut spares no objective


def test_questions_change_from_pass_to_pass() -> None:
    visits = seen(VisitSampler(PICTURES[:1], {"locpred": 2}, 20), range(40))
    assert len({item.question for _, items, _ in visits for item in items}) == 6


@pytest.mark.parametrize("flip", [True, False])
def test_half_of_the_visits_are_mirrored(flip: bool) -> None:
    mirrored = [
        turned for *_, turned in seen(VisitSampler(PICTURES, QUESTIONS, 20, flip=flip), range(200))
    ]
    assert 70 < sum(mirrored) < 130 if flip else not any(mirrored)


def test_pictures_without_a_wanted_question_are_not_visited() -> None:
    visits = VisitSampler([*PICTURES, conversation("bare.jpg", caption=4)], QUESTIONS, 20)
    assert len(visits.conversations) == 7
    with pytest.raises(InputError, match="no questions of negpred; build them"):
        VisitSampler(PICTURES, {"negpred": 1}, 20)


def test_another_stage_goes_through_the_pictures_in_another_order() -> None:
    runs = [
        seen(VisitSampler(PICTURES, QUESTIONS, 20, seed=f"0/{name}"), range(7)) for name in "ab"
    ]
    assert sorted(row[0] for row in runs[0]) == sorted(row[0] for row in runs[1])
    assert runs[0] != runs[1]
