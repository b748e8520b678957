"""What a card says, what it calls unknown, and what never gets into it."""

import json
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard
from safetensors.torch import load_file, save_file

from locvlm.errors import InputError
from locvlm.evaluation import run_files
from locvlm.io.json_rows import write_json
from locvlm.models.digest import digest_model
from locvlm.models.load import ADAPTER
from locvlm.publishing.card import MARK
from locvlm.publishing.merge import merge
from locvlm.training.run_sources import SOURCES, DataRecord, RunSources
from tests import families

OWN = """---
license: mit
base_model: someone/model
tags: [lora]
---

# My model

It saw three dogs.

## Limits

```
# no heading
```
"""
RECIPE: dict[str, Any] = {
    "model": "/home/someone/runs/before/start",
    "data": ["/home/someone/data/dogs", "/home/someone/data/gone"],
    "out": "/home/someone/run",
    "stages": {
        "first": {"trains": "adapter", "steps": 7, "questions": {"caption": 1}},
        "second": {"trains": "adapter+lora", "steps": 9, "questions": {"locpred": 4}},
    },
}


def read(folder: Path) -> tuple[dict[str, Any], str]:
    """Metadata and text, as the Hub's own library reads them."""
    card = ModelCard.load(folder / "README.md")
    return card.data.to_dict(), card.text


def scores(folder: Path, **changes: Any) -> Path:
    value = {"value": 0.5, "low": 0.25, "high": 0.75, "n": 12, "kind": "rate"}
    empty = {"value": None, "low": 0, "high": 1, "n": 0, "kind": "rate"}
    result = {
        "task": "hal-coco",
        "data": "/home/someone/instances_val.json",
        "questions": 12,
        "pictures": 3,
        "unanswered": 2,
        "decoding": {"method": "greedy"},
        "scores": {"accuracy": value, "accuracy absent": empty, "recall": value},
    }
    folder.mkdir()
    write_json(folder / run_files.SCORES, result | changes)
    return folder


def test_nothing_known(adapter: Path, tmp_path: Path) -> None:
    card = merge(str(adapter), tmp_path / "out")
    assert card.unknown == ("license", "base_model", "datasets", "language")
    data, text = read(tmp_path / "out")
    assert data["license"] == "unknown"
    assert data["library_name"] == "transformers"
    assert data["pipeline_tag"] == "image-text-to-text"
    assert not {"base_model", "datasets", "language", "model-index"} & set(data)
    assert "## Training\n\nNot known here." in text
    assert "## Scores\n\nNone were given." in text
    assert text.rstrip().endswith("- license\n- base_model\n- datasets\n- language")
    assert "LORA, rank 4" in text
    assert "stretched to 56 x 56 pixels" in text
    assert "`ivb` (bins 56)" in text


@pytest.mark.parametrize(
    ("family", "says", "code"),
    [
        (
            "qwen3_vl",
            '`qwen3-vl`: `{"bbox_2d": [x1, y1, x2, y2]}` or `{"point_2d": [x, y]}`, from 0 at the '
            "left and top edge to 1000 at the right and bottom edge of the picture.",
            "float(number) / 1000 * size",
        ),
        (
            "paligemma",
            "`paligemma`: `<locy1><locx1><locy2><locx2>`, from 0 at the left and top edge to 1023",
            "for y1, x1, y2, x2 in places",
        ),
        ("paligemma", "`paligemma`", "skip_special_tokens=False"),
        ("florence_2", "of the picture; none is above 999.", "(float(number) + 0.5) / 1000"),
        ("qwen2_5_vl", "in pixels of what the model sees", 'coordinates.get("qwen2.5-vl"'),
    ],
)
def test_how_a_family_says_where(tmp_path: Path, family: str, says: str, code: str) -> None:
    model, processor = families.build(family)
    model.save_pretrained(tmp_path / "model")
    processor.save_pretrained(tmp_path / "model")
    merge(str(tmp_path / "model"), tmp_path / "out")
    text = read(tmp_path / "out")[1]
    assert says in text
    assert code in text
    (row,) = [line for line in text.splitlines() if line.startswith("| coordinates |")]
    assert row.replace(r"\|", "").count("|") == 3


def test_what_people_know(adapter: Path, tmp_path: Path) -> None:
    known = {"license": "mit", "base_model": "a/b", "datasets": ["c/d"], "language": "en"}
    card = merge(str(adapter), tmp_path / "out", known=known)
    assert card.unknown == ()
    data, text = read(tmp_path / "out")
    assert known.items() <= data.items()
    assert "## Not known" not in text
    with pytest.raises(InputError, match="--card licence: no field of the card; known: license,"):
        merge(str(adapter), tmp_path / "other", known={"licence": "mit"})
    assert not (tmp_path / "other").exists()


def test_its_own_card_is_quoted_once(adapter: Path, tmp_path: Path) -> None:
    (adapter / "README.md").write_text(OWN)
    card = merge(str(adapter), tmp_path / "out", known={"license": "apache-2.0"})
    assert card.unknown == ("datasets", "language")
    data, text = read(tmp_path / "out")
    assert (data["license"], data["base_model"]) == ("apache-2.0", "someone/model")
    assert "## Its own card\n\nIt saw three dogs.\n\n### Limits\n\n```\n# no heading\n```" in text
    merge(str(tmp_path / "out"), tmp_path / "again")
    data, text = read(tmp_path / "again")
    assert (data["license"], data["base_model"]) == ("apache-2.0", "someone/model")
    assert text.count(MARK) == 1
    assert "Its own card" not in text


def test_a_malformed_card(adapter: Path, tmp_path: Path) -> None:
    (adapter / "README.md").write_text("---\n- a list\n---\n")
    with pytest.raises(InputError, match=r"README\.md: no model card"):
        merge(str(adapter), tmp_path / "out")


def test_the_run_around_it(adapter: Path, tmp_path: Path) -> None:
    (adapter.parent / "recipe.json").write_text(json.dumps(RECIPE))
    merge(str(adapter), tmp_path / "out")
    text = read(tmp_path / "out")[1]
    assert "from `start`, seed 0" in text
    assert "| first | adapter | 7 | 8 | 0.0001 | 1 caption | 0 |" in text
    assert "| second | adapter+lora | 9 |" in text
    assert "| dogs | its manifest was not found | – | – | – | – |" in text
    assert "/home" not in text


def test_questions_that_its_data_had_none_of_are_not_named(adapter: Path, tmp_path: Path) -> None:
    """As of a run of an older version, which asked in vain for what there was none of."""
    asked = {"locpred": 4, "negpred": 2}
    stages = {**RECIPE["stages"], "second": {**RECIPE["stages"]["second"], "questions": asked}}
    (adapter.parent / "recipe.json").write_text(json.dumps({**RECIPE, "stages": stages}))
    counts = ({"locpred": 1200, "negpred": 0, "spatial": 8}, {"caption": 3})
    write_json(
        adapter.parent / SOURCES,
        RunSources(tuple(DataRecord("d", "0", 9, each) for each in counts), {}),
    )
    merge(str(adapter), tmp_path / "out")
    text = read(tmp_path / "out")[1]
    assert "| second | adapter+lora | 9 | 8 | 0.0001 | 4 locpred | 0 |" in text
    assert "| dogs | its manifest was not found | – | – | – | 1,200 locpred |" in text
    assert "| gone | its manifest was not found | – | – | – | 3 caption |" in text
    assert "negpred" not in text
    assert "8 spatial" not in text


def test_scores(adapter: Path, tmp_path: Path) -> None:
    run = scores(tmp_path / "eval", model=str(adapter))
    merge(str(adapter), tmp_path / "out", scores=[run])
    data, text = read(tmp_path / "out")
    row = "| `hal-coco` | instances_val.json | accuracy | 50.0 % | 25.0 % … 75.0 % | 12 |"
    assert row in text
    assert "| accuracy absent | – | – | 0 |" in text
    assert "12 answers about 3 pictures, 2 questions without an answer; method greedy" in text
    assert "/home" not in text
    (model,) = data["model-index"]
    assert model["name"] == "out"
    (result,) = model["results"]
    assert result["task"]["type"] == "image-text-to-text"
    assert result["metrics"] == [{"type": "accuracy", "value": 0.5, "name": "accuracy"}]


def test_scores_of_drawn_answers(adapter: Path, tmp_path: Path) -> None:
    value = {"value": 0.5, "low": 0.25, "high": 0.75, "n": 12, "kind": "rate", "sd": 0.02}
    decoding = {"method": "multinomial", "temperature": 0.2, "seed": 0, "samples": 3}
    given = {"scores": {"accuracy": value}, "decoding": decoding}
    run = scores(tmp_path / "eval", model=str(adapter), **given)
    merge(str(adapter), tmp_path / "out", scores=[run])
    text = read(tmp_path / "out")[1]
    assert "| 50.0 % ± 2.0 % | 25.0 % … 75.0 % | 12 |" in text
    assert "method multinomial, temperature 0.2, seed 0, samples 3; figures are mean ±" in text


def test_scores_of_the_weights_before(adapter: Path, tmp_path: Path) -> None:
    """A folder that was trained anew has the name of the model that was evaluated."""
    run = scores(tmp_path / "eval", model=str(adapter), model_digest=digest_model(adapter))
    merge(str(adapter), tmp_path / "out", scores=[run])
    weights = load_file(adapter / ADAPTER[1])
    save_file({name: value + 1 for name, value in weights.items()}, adapter / ADAPTER[1])
    with pytest.raises(InputError, match="has other weights or settings than when it was eval"):
        merge(str(adapter), tmp_path / "again", scores=[run])
    assert not (tmp_path / "again").exists()


def test_scores_that_do_not_say_of_which_weights(
    adapter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = scores(tmp_path / "eval", model=str(adapter))
    merge(str(adapter), tmp_path / "out", scores=[run])
    assert "does not say which weights" in capsys.readouterr().err


def test_scores_of_the_merged_folder(
    adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    merge(
        str(adapter), Path("out"), scores=[scores(tmp_path / "eval", model=str(tmp_path / "out"))]
    )
    assert "50.0 %" in read(tmp_path / "out")[1]


def test_scores_of_another_model(adapter: Path, tmp_path: Path) -> None:
    for name, changes, tells in (
        ("a", {"model": "tiny"}, "scores of 'tiny'; give scores of"),
        ("b", {"model": str(adapter), "task": "chess"}, "unknown evaluation task 'chess'"),
        ("c", {"model": str(adapter), "scores": [1]}, "not a file that locvlm eval wrote"),
    ):
        with pytest.raises(InputError, match=tells):
            run = scores(tmp_path / name, **changes)
            merge(str(adapter), tmp_path / "out", scores=[run])
    with pytest.raises(InputError, match=r"scores\.json: cannot be read"):
        merge(str(adapter), tmp_path / "out", scores=[tmp_path])
    assert not (tmp_path / "out").exists()
