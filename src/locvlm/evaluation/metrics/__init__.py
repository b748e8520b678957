"""How right answers are: figures with their intervals, and the rules that several tasks share."""

from locvlm.evaluation.metrics.intervals import (
    Score,
    apart,
    f1,
    mean,
    rate,
    scaled_mean,
    values_alone,
    wilson,
)

__all__ = ["Score", "apart", "f1", "mean", "rate", "scaled_mean", "values_alone", "wilson"]
