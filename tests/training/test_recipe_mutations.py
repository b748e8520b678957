"""Recipes that were changed by chance, or made to cost: one line, at once."""

import json
import time
from pathlib import Path

import pytest

from locvlm.errors import InputError
from locvlm.training.recipe_file import read_recipe
from tests.mutating import mutate_json

RECIPE = {
    "model": "tiny",
    "data": ["data"],
    "out": "out",
    "seed": 1,
    "lora": {"rank": 4},
    "options": {"bins": 224},
    "stages": {"one": {"trains": "lora", "steps": 2, "questions": {"locpred": 1}}},
}
BOMB = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
)


def test_any_change_is_told_or_fine(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    for data in mutate_json(RECIPE):
        path.write_bytes(data)
        begin = time.monotonic()
        try:
            read_recipe(path)
        except InputError as error:
            assert len(str(error).splitlines()) == 1
        assert time.monotonic() - begin < 5


@pytest.mark.parametrize(
    "override",
    [
        f"seed={'1' * 300_000}",
        f"stages.one.learning_rate={'1' * 300_000}",
        f"stages.one.learning_rate={'1' * 300_000}e",
        "stages.one.learning_rate=.inf",
        "stages.one.learning_rate=.nan",
        "seed=-1",
        "lora.rank=1e12",
        "lora.rank=1000000000000",
        'out="a\\0b"',
        f"out={'a' * 300}",
        "model=~nobody-of-this-name/x",
        "seed=2001-99-99",
        "seed=!!bool maybe",
        f"seed={'[' * 100_000}",
        ".".join("a" * 5000) + "=1",
        "seed=&a [*a]",
    ],
)
def test_values_that_no_recipe_has(tmp_path: Path, override: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(json.dumps(RECIPE))
    begin = time.monotonic()
    with pytest.raises(InputError) as error:
        read_recipe(path, [override])
    assert len(str(error.value)) < 1000
    assert time.monotonic() - begin < 5


def test_aliases_that_explode(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(BOMB)
    with pytest.raises(InputError, match=r"more than 100,000 values"):
        read_recipe(path)
