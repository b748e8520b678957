import os
import shutil
from functools import partial
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locvlm.errors import InputError
from locvlm.geometry import Box, Point
from locvlm.instructions.base import Conversation, Instruction
from locvlm.instructions.dataset import (
    DATA,
    MANIFEST,
    Manifest,
    check_output_folder,
    images_folder,
    read_dataset,
    read_manifest,
    stream_objectives,
)
from locvlm.instructions.dataset_writer import write_dataset
from locvlm.instructions.image_samples import sample_images

PLAIN = Manifest(
    annotations="/data/instances.json",
    annotations_sha256="0" * 64,
    images="/data/images",
    categories=("dog", "cat"),
    objectives=("locpred",),
    pictures=1,
    counts={"locpred": 1},
    drops={"boxes without area": 2},
)
DOG = Conversation(
    "a.jpg",
    640,
    480,
    (
        Instruction("locpred", "Where, as {repr}?", "At {loc}", (Box(0.1, 1 / 3, 2, 480),)),
        Instruction("negpred", "Where is the cat?", "Nowhere", kind="point"),
    ),
    "instances.json",
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
numbers = st.floats(-1e6, 1e6)
points = st.builds(Point, numbers, numbers)
boxes = st.builds(
    lambda x, y, w, h: Box(x, y, x + w, y + h), numbers, numbers, *[st.floats(0, 1e6)] * 2
)
instructions = st.builds(
    Instruction,
    texts,
    texts,
    texts,
    st.lists(boxes | points, max_size=3).map(tuple),
    st.sampled_from(["box", "point"]),
)
sides = st.integers(1, 100_000)
conversations = st.builds(
    Conversation, texts, sides, sides, st.lists(instructions, max_size=4).map(tuple), texts
)


def refuse(call, *args, **options) -> str:
    with pytest.raises(InputError) as caught:
        call(*args, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@given(st.lists(conversations, max_size=4))
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_round_trip(tmp_path: Path, made: list[Conversation]) -> None:
    write_dataset(tmp_path / "data", made, manifest=PLAIN)
    assert read_dataset(tmp_path / "data") == made
    asked = [frozenset(item.objective for item in one.instructions) for one in made]
    assert list(stream_objectives(tmp_path / "data")) == asked


def test_manifest_round_trip(tmp_path: Path) -> None:
    written = write_dataset(tmp_path, [DOG], manifest=PLAIN)
    assert read_manifest(tmp_path) == written
    assert msgspec.structs.replace(written, data_sha256="") == PLAIN


def test_one_row_per_conversation(tmp_path: Path) -> None:
    write_dataset(tmp_path, [DOG, DOG], manifest=PLAIN)
    table = pq.read_table(tmp_path / DATA)
    assert table.column_names == ["image", "width", "height", "source", "instructions"]
    assert table.num_rows == 2
    row = table.to_pylist()[0]["instructions"][0]
    assert row["locations"] == [[0.1, 1 / 3, 2.0, 480.0]]


def test_same_data_same_bytes(tmp_path: Path) -> None:
    first = write_dataset(tmp_path / "a", [DOG], manifest=PLAIN)
    second = write_dataset(tmp_path / "b", [DOG], manifest=PLAIN)
    assert first.data_sha256 == second.data_sha256
    assert (tmp_path / "a" / MANIFEST).read_bytes() == (tmp_path / "b" / MANIFEST).read_bytes()


def test_nothing_else_is_left_in_the_folder(tmp_path: Path) -> None:
    write_dataset(tmp_path / "new" / "deep", [DOG], manifest=PLAIN)
    assert {path.name for path in (tmp_path / "new" / "deep").iterdir()} == {DATA, MANIFEST}


def test_older_data_set_is_replaced(tmp_path: Path) -> None:
    write_dataset(tmp_path, [DOG, DOG], manifest=PLAIN)
    write_dataset(tmp_path, [DOG], manifest=PLAIN)
    assert read_dataset(tmp_path) == [DOG]


@pytest.mark.parametrize("name", ["photo.jpg", MANIFEST, DATA])
def test_foreign_folder_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    assert "new or empty folder" in refuse(write_dataset, tmp_path, [DOG], manifest=PLAIN)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_out_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "is a file" in refuse(check_output_folder, tmp_path / "file")
    assert "cannot be written" in refuse(
        write_dataset, tmp_path / "file" / "data", [DOG], manifest=PLAIN
    )


@pytest.mark.parametrize("finished", [0, 1])
@pytest.mark.parametrize("older", [True, False])
def test_killed_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: int, older: bool
) -> None:
    """Killed before file number `finished`: never a wrong answer, and writing again repairs it."""
    if older:
        write_dataset(tmp_path, [DOG, DOG], manifest=PLAIN)
    replace, calls = os.replace, []

    def killed(*paths: Path) -> None:
        calls.append(paths)
        if len(calls) > finished:
            raise KeyboardInterrupt
        replace(*paths)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_dataset(tmp_path, [DOG], manifest=PLAIN)
    monkeypatch.undo()
    if older and not finished:
        assert read_dataset(tmp_path) == [DOG, DOG]
    else:
        refuse(read_dataset, tmp_path)
    write_dataset(tmp_path, [DOG], manifest=PLAIN)
    assert read_dataset(tmp_path) == [DOG]


class TestWhatIsNoDataSet:
    def test_nothing_there(self, tmp_path: Path) -> None:
        assert "locvlm build" in refuse(read_manifest, tmp_path / "none")
        assert "locvlm build" in refuse(read_dataset, tmp_path)

    @pytest.mark.parametrize(
        "text", ["", "{}", "[]", '{"type": "other"}', '{"type": "locvlm-data"}']
    )
    def test_other_manifest(self, tmp_path: Path, text: str) -> None:
        (tmp_path / MANIFEST).write_text(text)
        assert str(tmp_path / MANIFEST) in refuse(read_manifest, tmp_path)

    def test_other_version(self, tmp_path: Path) -> None:
        write_dataset(tmp_path, [DOG], manifest=msgspec.structs.replace(PLAIN, version=2))
        assert "has version 2, this LocVLM reads 1" in refuse(read_dataset, tmp_path)

    def test_missing_data(self, tmp_path: Path) -> None:
        write_dataset(tmp_path, [DOG], manifest=PLAIN)
        (tmp_path / DATA).unlink()
        assert f"{tmp_path / DATA}: cannot be read" in refuse(read_dataset, tmp_path)

    def test_changed_data(self, tmp_path: Path) -> None:
        write_dataset(tmp_path, [DOG], manifest=PLAIN)
        with (tmp_path / DATA).open("ab") as file:
            file.write(b"\0")
        assert "build the data set again" in refuse(read_dataset, tmp_path)


def test_where_the_pictures_are(tmp_path: Path) -> None:
    write_dataset(tmp_path, [DOG], manifest=PLAIN)
    assert images_folder(tmp_path) == Path("/data/images")
    write_dataset(tmp_path, [DOG], manifest=msgspec.structs.replace(PLAIN, images=""))
    assert "build it again with --images" in refuse(images_folder, tmp_path)


def test_where_the_pictures_are_now(tmp_path: Path) -> None:
    """Given or found, another folder is compared; the one of the build is not."""
    built, moved, data = (tmp_path / name for name in ("a/photos", "b/photos", "a/data"))
    for folder, content in ((built, b"dog"), (moved, b"cat")):
        folder.mkdir(parents=True)
        (folder / DOG.image).write_bytes(content)
    manifest = msgspec.structs.replace(
        PLAIN,
        images=str(built),
        images_relative="../photos",
        image_samples=sample_images(built, [DOG.image], 0),
    )
    write_dataset(data, [DOG], manifest=manifest)
    assert images_folder(data, built) == images_folder(data) == built
    assert f"{DOG.image} has another content" in refuse(partial(images_folder, data), moved)
    assert "no such folder" in refuse(partial(images_folder, data), tmp_path / "c")
    (built / DOG.image).write_bytes(b"retouched")
    assert images_folder(data) == built
    (built / DOG.image).write_bytes(b"dog")
    shutil.copytree(tmp_path / "a", tmp_path / "elsewhere")
    assert images_folder(data, tmp_path / "elsewhere/photos") == tmp_path / "elsewhere/photos"
    shutil.rmtree(tmp_path / "a/photos")
    (tmp_path / "a/data").rename(tmp_path / "b/data")
    assert "holds other images" in refuse(images_folder, tmp_path / "b/data")  # beside it
    there = tmp_path / "elsewhere/photos"
    assert images_folder(tmp_path / "b/data", there) == there


def test_pictures_that_a_build_did_not_know_can_be_given(tmp_path: Path) -> None:
    write_dataset(tmp_path / "data", [DOG], manifest=msgspec.structs.replace(PLAIN, images=""))
    assert images_folder(tmp_path / "data", tmp_path) == tmp_path
