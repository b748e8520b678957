"""Scored rows, made by hand."""

from locvlm.evaluation.task import Scored


def scored(expected: str, hit: bool, meta: dict[str, str] | None = None, **values: bool) -> Scored:
    return Scored("1", "1.jpg", "?", "", expected, meta or {}, (), hit, dict(values))
