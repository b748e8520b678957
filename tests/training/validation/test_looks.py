"""Which look is best."""

import pytest

from locvlm.training.validation.looks import (
    Look,
    count_since_best,
    describe_figures,
    find_best,
    read_looks,
)

NAN = float("nan")


def looks(*values: float, metric: str = "loss") -> list[Look]:
    return [Look(step, {metric: value}) for step, value in enumerate(values)]


@pytest.mark.parametrize(
    ("metric", "values", "best"),
    [
        ("loss", (0.1, 3, 1, 2), 2),  # the start is no state of the training
        ("loss", (0, 1, 1, 2), 1),  # the first of those that are as good
        ("iou", (0.9, 0.1, 0.3, 0.2), 2),
        ("loss", (0, NAN, 2, NAN), 2),
        ("iou", (0, NAN, NAN), 1),
    ],
)
def test_the_best_look(metric: str, values: tuple[float, ...], best: int) -> None:
    found = find_best(looks(*values, metric=metric), metric)
    assert found is not None
    assert found.step == best
    after = count_since_best(looks(*values, metric=metric), metric)
    assert after == len(values) - 1 - best


def test_before_any_step_none_is_best() -> None:
    assert find_best(looks(1.0), "loss") is None
    assert count_since_best(looks(1.0), "loss") == 0


def test_figures_come_in_one_order_also_after_a_checkpoint() -> None:
    """It sorts the names; the files that are made of them are to be the same."""
    names = ["loss", "token_accuracy", "iou", "accuracy", "presence", "a", "z"]
    row = {"step": 1, **{f"eval_{name}": float(place) for place, name in enumerate(names)}}
    for given in (row, dict(sorted(row.items())), dict(reversed(row.items()))):
        (look,) = read_looks([given])
        assert list(look.figures.items()) == list(zip(names, map(float, range(7)), strict=True))


def test_looks_are_read_from_the_log() -> None:
    rows = [{"step": 1, "loss": 2.0}, {"step": 1, "eval_loss": 1.5, "eval_iou": 0.25, "epoch": 1}]
    (look,) = read_looks(rows)
    assert (look.step, dict(look.figures)) == (1, {"loss": 1.5, "iou": 0.25})
    assert describe_figures(look.figures) == "loss 1.500, IoU 0.250"
