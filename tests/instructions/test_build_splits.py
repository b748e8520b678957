"""A data set keeps the images of all splits, and asks about those of one."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from PIL import Image

from locvlm.errors import InputError
from locvlm.instructions import build_files, faces
from locvlm.instructions.build import QuestionOptions
from locvlm.instructions.build_files import BuildOptions, build_from_files
from locvlm.instructions.dataset import (
    MANIFEST,
    OBJECTS,
    Manifest,
    read_asked_objects,
    read_dataset,
    read_manifest,
    read_objects,
)
from locvlm.instructions.split_questions import read_split
from locvlm.interchange.export.base import ExportOptions
from locvlm.interchange.export.run import export
from locvlm.io.digests import digest_file

SPLITS = {"train": 3, "val": 2, "test": 1}


@pytest.fixture
def yolo(tmp_path: Path) -> Path:
    """Three splits; a dog is in each image, a cat in those of val alone."""
    root = tmp_path / "set"
    for split, count in SPLITS.items():
        for kind in ("images", "labels"):
            (root / kind / split).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (60, 40)).save(root / "images" / split / f"{number}.png")
            lines = "0 .5 .5 .5 .5\n" + "1 .3 .3 .2 .2\n" * (split == "val")
            (root / "labels" / split / f"{number}.txt").write_text(lines)
    places = "".join(f"{split}: images/{split}\n" for split in SPLITS)
    (root / "data.yaml").write_text(f"{places}names: [dog, cat]\n")
    return root


def build(root: Path, **options: Any) -> tuple[Path, Manifest]:
    out = root.parent / "data"
    options.setdefault("questions", QuestionOptions(objectives=("locpred", "revloc")))
    return out, build_from_files(root, root, out, BuildOptions(reader="yolo", **options))


def test_questions_are_about_train_and_objects_of_all(yolo: Path) -> None:
    out, manifest = build(yolo)
    assert (manifest.split, manifest.split_images) == ("train", SPLITS)
    assert {item.image.split("/")[1] for item in read_dataset(out)} == {"train"}
    data = read_objects(out)
    assert [image.split for image in data.images] == [
        s for s, n in SPLITS.items() for _ in range(n)
    ]
    assert data.splits == tuple(SPLITS)
    for split, count in SPLITS.items():
        images = read_objects(out, split).images
        assert [image.file_name for image in images] == [
            f"images/{split}/{number}.png" for number in range(count)
        ]
    assert read_asked_objects(out).images == read_objects(out, "train").images
    assert [item.category for item in read_objects(out, "valid").images[0].objects] == [
        "dog",
        "cat",
    ]


def test_the_same_questions_as_of_train_alone(yolo: Path) -> None:
    out, _ = build(yolo)
    rows, objects = read_dataset(out), read_asked_objects(out).images
    (yolo / "data.yaml").write_text("train: images/train\nnames: [dog, cat]\n")
    out, alone = build(yolo)
    assert read_dataset(out) == rows
    assert read_objects(out).images == objects
    assert alone.split_images == {"train": 3}


def test_another_split_or_all(yolo: Path) -> None:
    out, manifest = build(yolo, split="val")
    assert {item.image.split("/")[1] for item in read_dataset(out)} == {"val"}
    assert {image.split for image in read_asked_objects(out).images} == {"val"}
    assert manifest.split == "val"
    out, manifest = build(yolo, split="all")
    assert len(read_dataset(out)) == len(read_asked_objects(out).images) == 6
    assert (manifest.split, manifest.split_images) == ("all", SPLITS)


def test_no_such_split(yolo: Path) -> None:
    out, _ = build(yolo)
    with pytest.raises(
        InputError, match="data: has no split 'minival'; it has: 'train, val, test'"
    ):
        read_objects(out, "minival")


def test_what_is_left_out_of_others_is_counted_apart(yolo: Path) -> None:
    (yolo / "labels" / "val" / "0.txt").write_text("0 .9 .5 .5 .5\n0 .5 .5 .2 .2\n")
    _, manifest = build(yolo)
    assert manifest.drops == {}
    assert manifest.split_drops == {"val": {"boxes clipped to the picture": 1}, "test": {}}


def test_a_source_without_splits(yolo: Path) -> None:
    (yolo / "data.yaml").write_text("names: [dog, cat]\n")
    for split in ("val", "test"):
        for kind in ("images", "labels"):
            for file in (yolo / kind / split).iterdir():
                file.rename(yolo / kind / "train" / f"{split}{file.name}")
            (yolo / kind / split).rmdir()
    for kind in ("images", "labels"):
        (yolo / kind / "train").rename(yolo / kind / "every")
    out, manifest = build(yolo)
    assert (manifest.split, manifest.split_images) == ("", {})
    assert len(read_asked_objects(out).images) == 6
    assert {image.split for image in read_objects(out).images} == {""}
    with pytest.raises(InputError, match="has no split 'val'; it has none"):
        read_objects(out, "val")


def test_one_of_an_older_version_is_all_of_what_was_read(yolo: Path) -> None:
    out, _ = build(yolo)
    path = out / OBJECTS
    table = pq.read_table(path)
    kept = [split == "train" for split in table["split"].to_pylist()]
    pq.write_table(table.filter(kept).drop_columns("split"), path)
    manifest = json.loads((out / MANIFEST).read_text()) | {"objects_sha256": digest_file(path)}
    for key in ("split", "split_images", "split_drops"):
        del manifest[key]
    (out / MANIFEST).write_text(json.dumps(manifest))
    assert len(read_asked_objects(out).images) == len(read_objects(out, "train").images) == 3
    with pytest.raises(InputError, match="has no split 'val'; it has: 'train'"):
        read_objects(out, "val")


def test_nothing_is_mixed_in_about_images_of_other_splits(yolo: Path, tmp_path: Path) -> None:
    said = [{"from": "human", "value": "Hello"}, {"from": "gpt", "value": "Hi"}]
    names = ("images/train/0.png", "images/val/0.png", "./images/test/0.png")
    rows = [{"id": name, "image": name, "conversations": said} for name in names]
    (tmp_path / "mix.json").write_text(json.dumps(rows))
    out, manifest = build(yolo, mix=tmp_path / "mix.json", mix_ratio=0.5)
    mixed = [row.image for row in read_dataset(out) if row.source == "mix.json"]
    assert mixed == ["images/train/0.png"]
    assert manifest.drops["mixed rows about pictures of another split"] == 2


def test_copies_with_blurred_faces_are_of_all(yolo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (build_files, faces):
        monkeypatch.setattr(module, "check_opencv", lambda: None)
    monkeypatch.setattr(faces, "find_faces", lambda image: [])
    out, _ = build(yolo, blur_faces=True)
    images = [*(out / "images").rglob("*.png")]
    assert len(images) == 6
    assert read_manifest(out).images == str(out / "images")


class TestQuestionsAboutASplit:
    def test_as_if_it_were_built_about_it(self, yolo: Path) -> None:
        out, _ = build(yolo)
        drawn, asked = read_split(out, "val"), read_split(out)
        assert asked == read_dataset(out) == read_split(out, "train")
        assert read_split(out, "all") == [*asked, *drawn, *read_split(out, "test")]
        build(yolo, split="val")
        assert read_dataset(out) == drawn

    def test_an_image_of_two_splits_is_asked_about_once(self, yolo: Path) -> None:
        (yolo / "data.yaml").write_text("train: images/train\nval: images\nnames: [dog, cat]\n")
        out, _ = build(yolo)
        names = [row.image for row in read_split(out, "all")]
        assert len(names) == len(set(names)) == 6
        assert len(read_split(out, "val")) == 6

    def test_no_such_split(self, yolo: Path) -> None:
        out, _ = build(yolo)
        with pytest.raises(InputError, match="no split 'minival'"):
            read_split(out, "minival")

    def test_export(self, yolo: Path, tmp_path: Path) -> None:
        out, _ = build(yolo)
        for split, count in {None: 3, "val": 2, "all": 6}.items():
            report = export(out, "llava", tmp_path / f"{split}.json", ExportOptions(split=split))
            assert report.images == count
        rows = json.loads((tmp_path / "val.json").read_text())
        assert {row["image"].split("/")[-2] for row in rows} == {"val"}
