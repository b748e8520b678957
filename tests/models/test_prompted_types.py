"""Model types whose processors have no chat template, each tiny: asked, trained and merged.

Those of PaliGemma and Florence-2 are in `tests/families`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.model_types.steps import STEPS, try_steps

TYPES = ("got_ocr2", "idefics", "kosmos-2", "kosmos-2.5")


@pytest.mark.parametrize("name", TYPES)
def test_is_asked_trained_and_merged(name: str, tmp_path: Path) -> None:
    assert [step for step, _ in try_steps(name, tmp_path)] == list(STEPS)
