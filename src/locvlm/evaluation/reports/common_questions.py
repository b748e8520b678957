"""What two runs were both asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from locvlm.errors import InputError
from locvlm.evaluation.task import ScoredAnswer


def list_common_questions(
    folders: tuple[Path, Path],
    rows: tuple[Mapping[str, ScoredAnswer], Mapping[str, ScoredAnswer]],
    results: Sequence[Mapping[str, Any]],
) -> list[str]:
    """The ids of what both runs were asked, in the order of the first.

    Raises InputError where one was asked something else, but for what the other does not see.
    """
    (a, b), (unseen_a, unseen_b) = rows, (set(result.get("unseen", ())) for result in results)
    names = " and ".join(map(str, folders))
    common = [id for id in a if id in b]
    different = (b.keys() - a.keys() - unseen_a) | (a.keys() - b.keys() - unseen_b)
    different |= {id for id in common if a[id].expected != b[id].expected}
    if different:
        raise InputError(
            f"{names} do not have the same questions ({len(different)} differ, such as "
            f"{min(different)!r}); run both with the same data, seed, options and limit"
        )
    if not common:
        raise InputError(f"{names} have no question in common; neither sees what the other does")
    images = {(a[id].image, b[id].image) for id in common}
    if not len(images) == len({one for one, _ in images}) == len({other for _, other in images}):
        raise InputError(f"{names} do not ask about the same images; run both with the same data")
    return common
