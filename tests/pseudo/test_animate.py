"""Photos become clips whose boxes are where things are seen to be."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from locvlm import annotations
from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.cli import main
from locvlm.errors import InputError
from locvlm.geometry import Box
from locvlm.media.clips import open_clip
from locvlm.pseudo.animate import AnimateOptions, animate, clip_name

CATEGORIES = ("dog", "cat", "car")
GREEN, RED = (0, 200, 0), (200, 0, 0)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Twelve grey photos: a green dog and a red car, a dog, a car, and again."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(12):
        picture = Image.new("RGB", (120, 90), "grey")
        if number % 3 != 2:
            picture.paste(GREEN, (30, 20, 70, 60))
        if number % 3 != 1:
            picture.paste(RED, (80, 10, 110, 40))
        picture.save(folder / f"{number}.png")
    return folder


def photo(number: int) -> AnnotatedImage:
    dog = Object("dog", Box(30, 20, 70, 60))
    car = Object("car", Box(80, 10, 110, 40))
    things = ((dog, car), (dog,), (car,))[number % 3]
    return AnnotatedImage(number, f"{number}.png", 120, 90, things)


@pytest.fixture
def data(tmp_path: Path) -> AnnotationSet:
    return AnnotationSet([photo(i) for i in range(12)], CATEGORIES, tmp_path / "instances.json")


def test_boxes_are_where_the_pixels_are(data: AnnotationSet, images: Path, tmp_path: Path) -> None:
    made = animate(data, images, tmp_path / "out", AnimateOptions(seed=3))
    assert made.clips == 12
    assert sum(made.moves.values()) == 12
    assert len(made.moves) > 2
    assert not (tmp_path / "out" / "instances.json.parts").exists()
    found = annotations.read("lvis", tmp_path / "out/instances.json", images=tmp_path / "out/clips")
    assert found.categories == CATEGORIES
    checked = 0
    for clip in found.images:
        frames = open_clip(tmp_path / "out/clips" / clip.file_name, 8).frames
        assert frames[0].size == (clip.width, clip.height)
        for item in () if clip.not_exhaustive else clip.objects:  # what moves hides some
            away = [
                centre_of(frame, item.category) - np.array(centre(item.box)) for frame in frames
            ]
            # 5 pixels of 224, and what the codec blurs
            assert np.abs(away).max() <= 5 * 120 / 224 + 1.5
            checked += 1
        absent = set(clip.absent_of(CATEGORIES))
        assert absent.isdisjoint(item.category for item in photo(clip.id).objects)
    assert checked >= 3


def centre(box: Box) -> tuple[float, float]:
    return box.center.x, box.center.y


def centre_of(frame: Image.Image, category: str) -> np.ndarray:
    """Of the pixels in its colour."""
    pixels = np.asarray(frame).astype(int)
    channel = 1 if category == "dog" else 0
    others = np.delete(pixels, channel, axis=2).max(2)
    rows, columns = np.nonzero(pixels[..., channel] > others + 90)
    return np.array((columns.mean() + 0.5, rows.mean() + 0.5))


def test_what_moves_through_is_there_and_has_no_box(
    data: AnnotationSet, images: Path, tmp_path: Path
) -> None:
    animate(data, images, tmp_path / "out", AnimateOptions(seed=1))
    document = json.loads((tmp_path / "out/instances.json").read_text())
    visitors = [
        image
        for image in document["images"]
        if image["id"] % 3 == 1 and 3 in image.get("not_exhaustive_category_ids", [])
    ]
    assert visitors  # photos without a car of their own
    for image in visitors:
        assert 3 not in image["neg_category_ids"]
        reds = [
            (np.asarray(frame)[..., 0] > 150).any()
            for frame in open_clip(tmp_path / "out/clips" / image["file_name"]).frames
        ]
        assert any(reds)


def test_it_is_the_same_again_and_goes_on(
    data: AnnotationSet, images: Path, tmp_path: Path
) -> None:
    animate(data, images, tmp_path / "a", AnimateOptions())
    animate(data, images, tmp_path / "b", AnimateOptions(), workers=2)
    assert (tmp_path / "a/instances.json").read_bytes() == (
        tmp_path / "b/instances.json"
    ).read_bytes()
    for clip in (tmp_path / "a/clips").iterdir():
        assert clip.read_bytes() == (tmp_path / "b/clips" / clip.name).read_bytes()
    with pytest.raises(InputError, match=r"is there already.*name another --out"):
        animate(data, images, tmp_path / "b", AnimateOptions(seed=1))
    before = (tmp_path / "b/instances.json").read_bytes()
    animate(data, images, tmp_path / "b", AnimateOptions())  # as after a kill at the very end
    assert (tmp_path / "b/instances.json").read_bytes() == before
    with pytest.raises(InputError, match="give pixels"):
        animate(data, images, tmp_path / "c", AnimateOptions(side=1))


def test_a_photo_that_cannot_be_read_is_told(
    data: AnnotationSet, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (images / "5.png").write_bytes(b"no picture")
    for seed in range(3):  # its thing may be another's visitor: that one is done without
        made = animate(data, images, tmp_path / f"out{seed}", AnimateOptions(seed=seed))
        assert made.clips == 11
        assert list(made.skipped) == ["5.png"]
        assert "5.png: not a readable picture" in made.skipped["5.png"]
    for number in range(12):
        (images / f"{number}.png").write_bytes(b"")
    with pytest.raises(InputError, match="no photo can be read"):
        animate(data, images, tmp_path / "none", AnimateOptions())


def test_photos_of_one_stem_are_two_clips() -> None:
    names = {clip_name(AnnotatedImage(1, name, 9, 9)) for name in ("a.jpg", "a.png", "b/a.jpg")}
    assert len(names) == 3


def test_the_command(data: AnnotationSet, images: Path, tmp_path: Path) -> None:
    document = {
        "images": [
            {"id": i.id, "file_name": i.file_name, "width": 120, "height": 90} for i in data.images
        ],
        "annotations": [
            {
                "id": i.id * 2 + place,
                "image_id": i.id,
                "category_id": CATEGORIES.index(item.category) + 1,
                "bbox": [item.box.x1, item.box.y1, item.box.width, item.box.height],
                "area": item.box.area,
                "iscrowd": 0,
            }
            for i in data.images
            for place, item in enumerate(i.objects)
        ],
        "categories": [{"id": n, "name": name} for n, name in enumerate(CATEGORIES, 1)],
    }
    data.source.write_text(json.dumps(document))
    out = tmp_path / "out"
    given = ["--annotations", str(data.source), "--images", str(images), "--out", str(out)]
    assert main(["pseudo", "animate", *given, "--limit", "0"]) == 2
    assert not out.exists()
    assert main(["pseudo", "animate", *given, "--limit", "4"]) == 0
    assert len(list((out / "clips").iterdir())) == 4
    built = ["--annotations", str(out / "instances.json"), "--images", str(out / "clips")]
    assert main(["build", *built, "--out", str(tmp_path / "data")]) == 0
