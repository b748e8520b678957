"""The records of the model families, and that nothing else in the package knows them by name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import locvlm
from locvlm import coordinates
from locvlm.families import FAMILIES, Family, find_named, get_family
from locvlm.models.parts import PARTS, part_of
from tests import families
from tests.models.test_prompted_types import TYPES as PROMPTED

PACKAGE = Path(locvlm.__file__).parent
# Whose own steps or words a family's are
OWN = ("families.py", "coordinates/", "processors/", "models/video_llava/")
# Names of file formats, too
FORMATS = {"llava", "qwen"}
# The export for one trainer says which of its dialects it writes
DIALECTS = {"interchange/export/llava.py": {"qwen2-vl", "qwen2.5-vl", "qwen3-vl"}}
FORMAT_FILES = ("interchange/", "records/", "commands/", "instructions/mixing.py", "inspection/")
# Detectors, and the encoders that a model is put together from, are no vision-language models
OTHER_MODELS = ("pseudo/detectors/", "models/assembly.py")


def strings(tree: ast.AST) -> Iterator[str]:
    """All but docstrings."""
    docs = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def files(*left_out: str) -> list[Path]:
    found = (path.relative_to(PACKAGE) for path in sorted(PACKAGE.rglob("*.py")))
    return [path for path in found if not path.as_posix().startswith(left_out)]


@pytest.mark.parametrize("path", files(*OWN), ids=str)
def test_no_other_file_names_a_family(path: Path) -> None:
    """Neither its `model_type` nor a class named after it."""
    allowed = FORMATS if path.as_posix().startswith(FORMAT_FILES) else set()
    allowed = allowed | DIALECTS.get(path.as_posix(), set())
    used = set(strings(ast.parse((PACKAGE / path).read_text(encoding="utf-8"))))
    assert {name for name in used - allowed if get_family(name) in FAMILIES} == set()


@pytest.mark.parametrize("path", files(*OWN, *OTHER_MODELS), ids=str)
def test_no_other_file_tells_families_apart(path: Path) -> None:
    """By comparing a `model_type` with anything, or looking at how it begins."""
    for node in ast.walk(ast.parse((PACKAGE / path).read_text(encoding="utf-8"))):
        compared: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            compared = [node.left, *node.comparators]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            compared = [node.func.value] if node.func.attr in ("startswith", "endswith") else []
        types = [each for each in compared if isinstance(each, ast.Attribute)]
        assert all(each.attr != "model_type" for each in types), (path, ast.unparse(node))


def test_one_record_per_type_and_per_name() -> None:
    types = [kind for family in FAMILIES for kind in family.model_types]
    assert [get_family(kind).name for kind in types] == [
        family.name for family in FAMILIES for _ in family.model_types
    ]
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)


def test_dialects_exist() -> None:
    assert {family.dialect for family in FAMILIES} - {""} == set(coordinates.dialects())


def test_a_model_of_no_family_claims_nothing() -> None:
    assert get_family("gpt2") == Family("gpt2")
    assert find_named("openai/gpt2") == []


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("qwen2_5_vl", "qwen2.5-vl"),
        ("Qwen2_5_VLProcessor", "qwen2.5-vl"),
        ("Qwen2_5_VLForConditionalGeneration", "qwen2.5-vl"),
        ("CogVLMForCausalLM", "cogvlm"),
        ("InternVLChatModel", "internvl-chat"),
        ("Kosmos2Processor", "kosmos-2"),
    ],
)
def test_types_and_classes(name: str, family: str) -> None:
    assert get_family(name).name == family


def test_what_is_claimed_is_tried() -> None:
    """A family that is packed or whose images are kept has a model in `tests/families`.

    One whose questions are written without a chat template at least in `test_prompted_types.py`.
    """
    tried = {families.build(name)[0].config.model_type for name in families.names()}
    tried |= {"smolvlm", "pooled_video_llava"}  # may lack num2words; tests/models/video_llava
    kept = [each for each in FAMILIES if each.packable or each.prefix_cacheable]
    assert {kind for each in kept for kind in each.model_types} <= tried
    prompted = [each for each in FAMILIES if each.prompt]
    assert {kind for each in prompted for kind in each.model_types} <= tried | {*PROMPTED}


def test_a_model_of_each_family_has_the_modules_of_its_record(family) -> None:
    _, model, processor = family
    record = get_family(model.config.model_type)
    assert record is get_family(type(processor).__name__)
    inside = {part for name, _ in model.named_parameters() for part in name.split(".")}
    assert record.encoder in inside
    assert set(record.adapter) <= inside
    assert {part_of(name) for name, _ in model.named_parameters()} == set(PARTS)
