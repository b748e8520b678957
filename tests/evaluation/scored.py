"""Scored rows, made by hand."""

from locvlm.evaluation.task import ScoredAnswer


def scored(
    expected: str, hit: bool, meta: dict[str, str] | None = None, **values: bool
) -> ScoredAnswer:
    return ScoredAnswer("1", "1.jpg", "?", "", expected, meta or {}, (), hit, dict(values))
