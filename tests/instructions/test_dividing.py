"""What is held out is divided by groups; what comes divided is looked through."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from locvlm.errors import InputError
from locvlm.instructions.build import QuestionOptions
from locvlm.instructions.build_files import BuildOptions, build_from_files
from locvlm.instructions.dataset import Manifest, read_dataset, read_manifest, read_objects
from locvlm.instructions.dividing import Division


def write_scene(path: Path, seed: int, quality: int = 90) -> None:
    """Soft blobs in which no two seeds are alike."""
    colors = np.random.default_rng(seed).integers(20, 235, (14, 18, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    scene = Image.fromarray(colors).resize((120, 90), Image.Resampling.BICUBIC)
    scene.save(path, "JPEG", quality=quality)


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """Ten photos, three of them twice: compressed again. A dog in each, a cat in two."""
    folder = tmp_path / "photos"
    for seed in range(10):
        write_scene(folder / f"{seed}.jpg", seed)
    for seed in range(3):
        write_scene(folder / f"again{seed}.jpg", seed, quality=40)
    names = sorted(path.name for path in folder.iterdir())
    boxes = [(k, 1) for k in range(len(names))] + [(1, 2), (8, 2)]
    data = {
        "images": [
            {"id": k, "file_name": name, "width": 120, "height": 90} for k, name in enumerate(names)
        ],
        "annotations": [
            {"id": k, "image_id": image, "category_id": category, "bbox": [9 + k, 9, 40, 40]}
            for k, (image, category) in enumerate(boxes)
        ],
        "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}],
    }
    (tmp_path / "boxes.json").write_text(json.dumps(data))
    return tmp_path


@pytest.fixture
def yolo(tmp_path: Path) -> Path:
    """Three photos to learn; val has one of them, one compressed again, and a new one."""
    root = tmp_path / "set"
    for split, seeds in (("train", (0, 1, 2)), ("val", (0, 1, 7))):
        for k, seed in enumerate(seeds):
            path = root / "images" / split / f"{split}{k}.jpg"
            write_scene(path, seed, quality=40 if split == "val" and seed == 1 else 90)
            label = root / "labels" / split / f"{split}{k}.txt"
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_text("0 .5 .5 .5 .5\n")
    (root / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [dog]\n")
    return root


def build(reader: str, annotations: Path, images: Path, **options: Any) -> tuple[Path, Manifest]:
    out = images.parent / "data"
    shutil.rmtree(out, ignore_errors=True)
    questions = QuestionOptions(objectives=("locpred", "revloc"), seed=options.pop("seed", 0))
    others = {key: options.pop(key) for key in ("split", "find_images") if key in options}
    options = BuildOptions(
        reader=reader, questions=questions, division=Division(**options), **others
    )
    return out, build_from_files(annotations, images, out, options)


def test_a_share_is_held_out_with_its_copies(coco):
    out, manifest = build("coco", coco / "boxes.json", coco / "photos", hold_out=0.3)
    splits = {image.file_name: image.split for image in read_objects(out).images}
    assert Counter(splits.values()) == manifest.split_images == {"train": 9, "val": 4}
    for seed in range(3):
        assert splits[f"{seed}.jpg"] == splits[f"again{seed}.jpg"]
    assert {row.image for row in read_dataset(out)} == {
        name for name, split in splits.items() if split == "train"
    }
    assert (manifest.split, manifest.splits, manifest.hold_out) == ("train", ("train", "val"), 0.3)
    assert "held out as val: 4 of 13 pictures, in 10 groups that stay together" in manifest.remarks
    assert any("nearly equal pixels" in remark for remark in manifest.remarks)
    cats = {image.split for image in read_objects(out).images if len(image.objects) > 1}
    assert cats == {"train", "val"}


def test_the_seed_chooses_and_the_order_does_not(coco):
    def held(seed: int = 0) -> set[str]:
        out, _ = build("coco", coco / "boxes.json", coco / "photos", hold_out=0.3, seed=seed)
        return {image.file_name for image in read_objects(out, "val").images}

    first = held()
    assert any(held(seed) != first for seed in (1, 2))
    boxes = json.loads((coco / "boxes.json").read_text())
    boxes["images"].reverse()
    (coco / "boxes.json").write_text(json.dumps(boxes))
    assert held() == first


def test_a_pattern_keeps_recordings_together(coco):
    out, _ = build(
        "coco", coco / "boxes.json", coco / "photos", hold_out=0.4, group_by=r"([0-4])[.]jpg"
    )
    splits = {image.file_name: image.split for image in read_objects(out).images}
    assert read_manifest(out).group_by == "([0-4])[.]jpg"
    assert all(splits[f"{k}.jpg"] == splits[f"again{k}.jpg"] for k in range(3))
    with pytest.raises(InputError, match="one recording"):
        build("coco", coco / "boxes.json", coco / "photos", hold_out=0.4, group_by="[.]jpg")
    assert not (coco / "data" / "manifest.json").exists()


def test_without_images_names_alone_tell(coco):
    _, manifest = build(
        "coco", coco / "boxes.json", coco / "photos", hold_out=0.3, find_images=False
    )
    assert manifest.split_images == {"train": 9, "val": 4}
    assert manifest.remarks == ("held out as val: 4 of 13 pictures",)


def test_data_that_are_divided_are_not_divided_again(yolo):
    with pytest.raises(InputError, match=r"splits already \(train, val\).*--split all"):
        build("yolo", yolo, yolo, hold_out=0.3)
    _, manifest = build("yolo", yolo, yolo, hold_out=0.3, split="all")
    assert manifest.split == "train"
    assert manifest.split_images == {"train": 4, "val": 2}
    (yolo / "data.yaml").write_text("train: images/train\nnames: [dog]\n")
    _, manifest = build("yolo", yolo, yolo, hold_out=0.3)
    assert manifest.split_images == {"train": 2, "val": 1}


def test_what_val_shares_with_train_is_said(yolo):
    out, manifest = build("yolo", yolo, yolo)
    assert manifest.leaks == {"val": 2}
    equal, near, advice = manifest.remarks
    assert equal.startswith("1 of 3 pictures of val are also in train: equal files (such as ")
    assert "images/val/val1.jpg and images/train/train1.jpg" in near
    assert advice.startswith("--leaky drop")
    assert len(read_objects(out, "val").images) == 3


def test_what_val_shares_with_train_is_left_out(yolo):
    out, manifest = build("yolo", yolo, yolo, leaky="drop")
    assert [image.file_name for image in read_objects(out, "val").images] == ["images/val/val2.jpg"]
    assert len(read_objects(out, "train").images) == 3
    assert manifest.leaks == {"val": 2}
    assert manifest.split_drops == {"val": {"pictures that belong together with one of train": 2}}
    assert len(manifest.remarks) == 2


def test_nobody_looks_where_there_is_nothing_to_find(yolo, coco):
    _, skipped = build("yolo", yolo, yolo, leaky="skip")
    _, everything = build("yolo", yolo, yolo, split="all")
    _, plain = build("coco", coco / "boxes.json", coco / "photos")
    for manifest in (skipped, everything, plain):
        assert (manifest.leaks, manifest.remarks) == (None, ())
    with pytest.raises(InputError, match="--group-by.*has none"):
        build("coco", coco / "boxes.json", coco / "photos", group_by=".+")


def test_clean_splits_are_counted_too(yolo):
    for name in ("val0", "val1"):
        (yolo / "images" / "val" / f"{name}.jpg").unlink()
    _, manifest = build("yolo", yolo, yolo)
    assert manifest.leaks == {"val": 0}
    assert not any("also in" in remark or "--leaky" in remark for remark in manifest.remarks)


@pytest.mark.parametrize("share", [0.0, 1.0, 20.0])
def test_a_share_that_is_none(coco, share):
    with pytest.raises(InputError, match="--hold-out is a share"):
        build("coco", coco / "boxes.json", coco / "photos", hold_out=share)
