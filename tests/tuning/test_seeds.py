"""How far trainings are apart."""

import pytest
from msgspec.structs import replace

from locvlm.evaluation.proof.structure import Changes, Figure, Proof, TaskProof
from locvlm.tuning.seeds import compare_seeds


def proof(difference: float, *, score: str = "mean IoU") -> Proof:
    figure = Figure(score, "mean", 0.2, 0.2 + difference, difference, -0.1, 0.3, 40, 20, 9)
    task = TaskProof(
        task="locate",
        title="Localization",
        data="a.json",
        right="",
        questions=40,
        images=20,
        clips=False,
        plain=False,
        verdicts=[],
        scores=[figure],
        headlines=1,
        tables=[],
        changes=Changes(40, 9, 5, 4),
        examples=[],
    )
    return Proof("tiny", "mine", 0, [], [task], {}, [])


def test_one_training_says_nothing_of_others() -> None:
    assert compare_seeds([proof(0.1)]) == []


def test_several_give_a_mean_and_its_interval() -> None:
    (found,) = compare_seeds([proof(0.1), proof(0.2), proof(0.3)])
    assert found.mean == pytest.approx(0.2)
    assert found.half == pytest.approx(4.303 * 0.1 / 3**0.5)
    assert "over 3 trainings" in found.sentence
    assert "+0.200 (−0.048 … +0.448)" in found.sentence


def test_a_score_that_one_of_them_lacks_is_left_out() -> None:
    other = proof(0.1)
    lacking = replace(other, tasks=[replace(other.tasks[0], scores=[])])
    assert compare_seeds([proof(0.1), lacking]) == []
