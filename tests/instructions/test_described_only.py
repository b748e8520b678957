"""Described objects alone: locpred and revloc call nothing by its category; all else stays."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm import cli
from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.annotations.columns import ColumnarImages
from locvlm.errors import InputError
from locvlm.geometry import Box
from locvlm.instructions.build import QuestionOptions, ask_about_image, build
from locvlm.instructions.build_files import BuildOptions, build_from_files
from locvlm.instructions.dataset import Manifest, read_dataset, read_objects
from locvlm.instructions.filters import UNDESCRIBED, ObjectLimits
from locvlm.instructions.objectives import names
from locvlm.instructions.rebuild import rebuild_plan
from locvlm.training.run_sources import _digest_data
from tests.command_line import fails_with_one_line

KINDS = ("dog", "cat", "cup", "bus")
ONLY = QuestionOptions(described_only=True)


def data(*images: Sequence[Object]) -> AnnotationSet:
    made = [
        AnnotatedImage(n, f"{n}.jpg", 100, 100, tuple(objects)) for n, objects in enumerate(images)
    ]
    return AnnotationSet(made, KINDS, Path("described.json"))


def thing(category: str, *descriptions: str, crowd: bool = False, x: float = 0) -> Object:
    return Object(category, Box(x, 0, x + 20, 20), crowd, descriptions=descriptions)


def test_objects_without_a_description_are_left_out_and_counted() -> None:
    found = build(
        data(
            [thing("dog", "a brown dog"), thing("cat"), thing("bus", "{}", x=30)],
            [thing("cup", "a cup"), thing("cup", "a cup", x=50), thing("dog", "x", crowd=True)],
            [thing("cat")],
        ),
        ONLY,
    )
    said = [
        [i.question if i.objective == "locpred" else i.answer for i in one.instructions]
        for one in found.conversations
    ]
    assert found.counts["locpred"] == 1, "neither a category nor what two are called"
    assert found.counts["revloc"] == 3
    assert [text for text in said[0] if "dog" in text][-1] == "There is a brown dog."
    assert said[1].count("There is a cup.") == 2
    assert found.drops[UNDESCRIBED] == 3
    assert found.drops["crowds, not asked about"] == 1
    assert [one.image for one in found.conversations] == ["0.jpg", "1.jpg", "2.jpg"]
    assert {item.objective for item in found.conversations[2].instructions} == {"negpred"}


@given(
    st.lists(
        st.lists(
            st.builds(
                thing,
                st.sampled_from(KINDS),
                crowd=st.booleans(),
                x=st.integers(0, 80),
            ).flatmap(
                lambda item: st.lists(st.sampled_from(["red one", "blue one", ""]), max_size=2).map(
                    lambda texts: replace(item, descriptions=tuple(texts))
                )
            ),
            max_size=5,
        ),
        max_size=3,
    )
)
def test_what_is_asked_is_asked_as_ever(images: list[list[Object]]) -> None:
    """What remains is a part of what is asked without the option, word for word."""
    every = data(*images, [thing("dog", "red one")])
    whole, kept = build(every), build(every, ONLY)
    columns = replace(every, images=ColumnarImages.of(every.images, KINDS))
    assert build(columns, ONLY) == kept
    for name in ("locpred", "revloc"):
        asked = {
            (one.image, item)
            for one in whole.conversations
            for item in one.instructions
            if item.objective == name and "one" in item.question + item.answer
        }
        left = {
            (one.image, item)
            for one in kept.conversations
            for item in one.instructions
            if item.objective == name
        }
        assert left == asked
    described = sum(
        not item.crowd and any(item.descriptions) for one in every.images for item in one.objects
    )
    assert kept.counts["revloc"] == described
    objects = sum(not item.crowd for one in every.images for item in one.objects)
    assert kept.drops[UNDESCRIBED] == objects - described


def test_other_objectives_stay() -> None:
    every = data([thing("dog", "a brown dog"), thing("cat"), thing("cup"), thing("cup", x=50)])
    chosen = ("revloc", "multiple", "presence", "spatial", "category")
    whole, kept = (
        build(every, QuestionOptions(chosen, described_only=only)) for only in (False, True)
    )
    assert whole.counts["revloc"] == 4
    assert kept.counts == {**whole.counts, "revloc": 1}


def test_what_is_too_small_is_counted_once() -> None:
    limited = replace(ONLY, limits=ObjectLimits(min_area=0.5))
    found = build(data([thing("dog"), thing("cat", "a cat")]), limited)
    assert UNDESCRIBED not in found.drops
    assert (found.counts["locpred"], found.counts["revloc"]) == (0, 0)


def test_where_nothing_is_described_or_asked() -> None:
    with pytest.raises(InputError, match=r"described\.json: no object has a description"):
        build(data([thing("dog")]), ONLY)
    with pytest.raises(InputError, match="described_only is of locpred and revloc, and neither"):
        build(data([thing("dog", "a")]), QuestionOptions(("negpred",), described_only=True))


def coco_file(folder: Path, *, described: bool = True) -> Path:
    images = [{"id": i, "file_name": f"{i}.jpg", "width": 100, "height": 80} for i in range(9)]
    boxes = [
        {
            "id": 10 * i + n,
            "image_id": i,
            "category_id": (i + n) % 4 + 1,
            "bbox": [12 * n, 7 * n, 10, 20],
            "area": 200,
            "iscrowd": 0,
            **({"description": [f"thing {n} of {i}"]} if described and n % 2 else {}),
        }
        for i in range(9)
        for n in range(i % 4 + 1)
    ]
    kinds = [{"id": i, "name": name} for i, name in enumerate(KINDS, 1)]
    path = folder / "described.json"
    path.write_text(json.dumps({"images": images, "annotations": boxes, "categories": kinds}))
    return path


def test_on_disk_by_one_worker_or_two_and_asked_again(tmp_path: Path) -> None:
    chosen = tuple(name for name in names() if name != "caption")
    questions = QuestionOptions(chosen, described_only=True)
    manifests = []
    for workers in (1, 2):
        options = BuildOptions(find_images=False, questions=questions, workers=workers)
        out = tmp_path / str(workers)
        manifests.append(build_from_files(coco_file(tmp_path), None, out, options))
    one, two = manifests
    assert (one.described_only, one.drops[UNDESCRIBED]) == (True, 13)
    assert (one.counts["locpred"], one.counts["revloc"]) == (8, 8)
    assert (one.data_sha256, one.drops) == (two.data_sha256, two.drops)
    kept = read_objects(tmp_path / "1")
    plan = rebuild_plan(one, kept)
    built = {item.image: item.instructions for item in read_dataset(tmp_path / "1")}
    asked = {i.file_name: ask_about_image(plan, i, 0, chosen) for i in kept.images}
    assert {name: items for name, items in asked.items() if items} == built


def test_a_run_begun_before_there_was_the_option_goes_on() -> None:
    manifest = Manifest(
        annotations="a",
        annotations_sha256="b",
        images="c",
        categories=KINDS,
        objectives=("locpred",),
        pictures=3,
        counts={},
        drops={},
        data_sha256="d",
    )
    before = "72becf6395a18919797712a01141ea3e33f02dba9222736f3276b67047ef8425"
    assert _digest_data(manifest) == before
    assert _digest_data(msgspec.structs.replace(manifest, described_only=True)) != before


def test_the_command_refuses_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = coco_file(tmp_path, described=False)
    options = ("--annotations", str(file), "--no-images", "--out", str(tmp_path / "data"))
    line = fails_with_one_line(capsys, "build", *options, "--described-only")
    assert "no object has a description" in line
    coco_file(tmp_path)
    cli.main(["build", *options, "--described-only"])
    assert f"left out, {UNDESCRIBED}: 13" in capsys.readouterr().out
