"""What a run learns from: the folders of its data sets, wherever they are, and nothing else."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from PIL import Image

from locvlm import coordinates
from locvlm.errors import InputError
from locvlm.instructions.build import QuestionOptions
from locvlm.instructions.build_files import BuildOptions, build_from_files
from locvlm.instructions.dataset import (
    MANIFEST,
    OBJECTS,
    images_folder,
    read_dataset,
    read_manifest,
)
from locvlm.instructions.dataset_writer import write_dataset
from locvlm.interchange.importing.run import import_file
from locvlm.training.claim import claim, find_changes
from locvlm.training.data.asked import find_unasked
from locvlm.training.data.dataset import read_training_data
from locvlm.training.learned import write_learned
from locvlm.training.recipe_file import read_recipe
from locvlm.training.run_sources import record_sources
from locvlm.training.train import _read_data, _report_unasked, check_recipe, train

SAID = [{"from": "human", "value": "<image>\nWhere is it?"}, {"from": "gpt", "value": "(2,3,9,9)"}]
STAGE = "stages={a: {trains: adapter+lora, steps: 2, images: 2, questions: {%s}}}"
ALL = "locpred: 2, mixed: 2"
ASKED = {"data": "locpred: 2", "imported": "mixed: 2"}  # others have both


@pytest.fixture
def sets(small_run: Path) -> Path:
    """Beside `data`: `mixed`, with a conversation about a picture of its own, and `imported`."""
    folder = small_run.parent
    Image.new("RGB", (50, 30)).save(folder / "images/extra.png")
    rows = [{"id": name, "image": name, "conversations": SAID} for name in ("1.png", "extra.png")]
    (folder / "chat.json").write_text(json.dumps(rows))
    questions = QuestionOptions(objectives=("locpred", "revloc", "category"))
    options = BuildOptions(questions=questions, mix=folder / "chat.json", mix_ratio=0.25)
    build_from_files(folder / "instances.json", folder / "images", folder / "mixed", options)
    ivb = coordinates.get("ivb", bins=56)
    import_file(folder / "chat.json", "llava", ivb, folder / "images", folder / "imported")
    return small_run


@pytest.mark.parametrize(
    ("data", "conversations"),
    [("mixed", 8), ("imported", 2), ("data, mixed, imported", 6 + 8 + 2)],
)
def test_without_the_files_that_they_were_built_from(
    sets: Path, data: str, conversations: int
) -> None:
    for name in ("instances.json", "chat.json"):
        (sets.parent / name).unlink()
    given = [f"data=[{data}]", STAGE % ASKED.get(data, ALL)]
    read = read_training_data(read_recipe(sets, given))
    assert len(read.conversations) == conversations
    assert sum(Path(item.image).name == "extra.png" for item in read.conversations) > 0
    assert {Path(item.image) for item in read.conversations} <= read.sizes.keys()
    assert (train(sets, given) / "adapter_model.safetensors").is_file()


def test_all_kinds_of_stages_where_some_know_no_objects(sets: Path) -> None:
    """Patches are named in pictures with objects; parts are shown of these too."""
    train(sets, ["data=[data, imported]", "stages.locations.questions={mixed: 2}", "save_steps=9"])
    read = read_training_data(read_recipe(sets, ["data=[mixed, imported]", "augment.crop=true"]))
    assert [origin is None for origin in read.origins] == [False] * 6 + [True] * 4
    with pytest.raises(InputError, match="naming needs objects, and the data sets hold texts"):
        naming = "stages={naming: {trains: naming, steps: 1}}"
        check_recipe(read_recipe(sets, ["data=[imported]", "out=other", naming]))


def test_what_is_not_asked_is_said(sets: Path, capfd: Any) -> None:
    train(sets, ["data=[data, imported]", STAGE % "locpred: 1"])
    said = capfd.readouterr().err
    assert f"{sets.parent / 'imported'}: none of its questions is asked; it has: mixed" in said


def test_what_no_data_set_has_is_refused_with_what_there_is(sets: Path, capfd: Any) -> None:
    given = ["data=[data, imported]", "out=other", STAGE % "locpred: 3, negpred: 1, mixed: 2"]
    with pytest.raises(InputError) as refused:
        train(sets, given)
    assert str(refused.value) == (
        "the data sets have no questions of negpred, which stage a asks; build them with "
        "--objectives that include these, or ask what they have: category (6), locpred (12), "
        "mixed (2), revloc (12) (--set 'stages.a.questions={locpred: 3, mixed: 2}')"
    )
    assert not Path("other").exists()
    setting = re.search("--set '(.*)'", str(refused.value))
    assert setting is not None
    check_recipe(read_recipe(sets, [*given, setting[1]]))
    with pytest.raises(InputError, match=r"no questions of locpred, .*what they have: mixed"):
        check_recipe(
            read_recipe(sets, ["data=[imported]", STAGE % "locpred: 1, negpred: 1", "out=other"])
        )


def test_a_run_that_an_older_version_has_begun_goes_on(sets: Path, capfd: Any) -> None:
    given = [STAGE % "locpred: 1, negpred: 1"]
    (sets.parent / "out/a/model").mkdir(parents=True)
    recipe = read_recipe(sets, given)
    claim(Path("out"), recipe)
    read = _read_data(recipe)
    assert read is not None
    assert find_unasked(recipe, read.held) == ["stage a: no data set has questions of negpred"]


def test_what_is_read_is_what_was_annotated(small_run: Path) -> None:
    """To the last digit, crowds, descriptions and what is not known included."""
    folder = small_run.parent
    document = json.loads((folder / "instances.json").read_text())
    document["annotations"][0]["bbox"] = [0.1, 1 / 3, 20.7, 11.05]
    document["annotations"][1]["iscrowd"] = 1
    for image in document["images"]:
        image |= {"neg_category_ids": [1], "not_exhaustive_category_ids": [2]}
    (folder / "instances.json").write_text(json.dumps(document))
    options = BuildOptions(questions=QuestionOptions(), reader="lvis")
    build_from_files(folder / "instances.json", folder / "images", folder / "data", options)
    read = read_training_data(read_recipe(small_run))
    from locvlm import annotations

    known = annotations.read("lvis", folder / "instances.json", images=folder / "images")
    assert len(read.annotated) == len(known.images) == 6
    for (path, image, categories), true in zip(read.annotated, known.images, strict=True):
        assert path == folder / "images" / true.file_name
        assert categories == known.categories
        assert image.absent == true.absent
        assert image.not_exhaustive == true.not_exhaustive
        assert [(o.category, o.box, o.crowd) for o in image.objects] == [
            (o.category, o.box, o.crowd) for o in true.objects
        ]


@pytest.mark.parametrize("split", ["train", "all"])
def test_nothing_is_learned_from_other_splits(small_run: Path, split: str) -> None:
    """Neither asked about, nor cropped, nor named patch by patch."""
    folder = small_run.parent
    root = folder / "yolo"
    places = {"train": (1, 2, 3, 4), "val": (5, 6)}
    for name, numbers in places.items():
        for kind in ("images", "labels"):
            (root / kind / name).mkdir(parents=True)
        for number in numbers:
            shutil.copy(folder / f"images/{number}.png", root / f"images/{name}/{number}.png")
            (root / f"labels/{name}/{number}.txt").write_text("0 .5 .5 .5 .5\n")
    (root / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [dog]\n")
    questions = QuestionOptions(objectives=("locpred", "revloc", "category"))
    options = BuildOptions(questions=questions, reader="yolo", split=split)
    build_from_files(root, root, folder / "data", options)
    read = read_training_data(read_recipe(small_run, ["augment.crop=true"]))
    learned = {
        *(Path(item.image) for item in read.conversations),
        *(path for path, _, _ in read.annotated),
        *(root / origin.image.file_name for origin in read.origins if origin),
        *read.sizes,
    }
    assert {path.parent.name for path in learned} == ({"train"} if split == "train" else {*places})
    assert len(learned) == (4 if split == "train" else 6)


def test_what_one_data_set_holds_out_another_does_not_teach(small_run: Path, capfd: Any) -> None:
    """1.png is of the first set's val, and among the images that the second asks about."""
    folder = small_run.parent
    labels = folder / "labels"
    labels.mkdir()
    for number in range(1, 7):
        (labels / f"{number}.txt").write_text("0 .5 .5 .5 .5\n")
    for split, numbers in {"train": range(2, 7), "val": (1,)}.items():
        (folder / f"{split}.txt").write_text("".join(f"images/{n}.png\n" for n in numbers))
    (folder / "data.yaml").write_text("train: train.txt\nval: val.txt\nnames: [dog]\n")
    questions = QuestionOptions(objectives=("locpred",))
    options = BuildOptions(questions=questions, reader="yolo")
    build_from_files(folder / "data.yaml", folder / "images", folder / "first", options)
    alone = read_training_data(read_recipe(small_run))
    read = read_training_data(read_recipe(small_run, ["data=[first, data]"]))
    held_out = folder / "images" / "1.png"
    assert held_out in alone.sizes and not alone.held_back
    assert held_out not in read.sizes
    assert not any(Path(item.image) == held_out for item in read.conversations)
    assert read.held_back == {held_out: folder / "first"}
    _report_unasked(read_recipe(small_run), read)
    said = capfd.readouterr().err
    assert f"another data set holds them out: 1, such as {held_out}, of another split in" in said


def test_a_copy_of_an_image_that_another_set_holds_out_is_said(
    small_run: Path, tmp_path: Path
) -> None:
    folder = small_run.parent
    (folder / "photos").mkdir()
    names = ["1.png", "2.png"]
    tree = json.loads((folder / "instances.json").read_text())
    rows = {row["id"]: row for row in tree["images"] if row["file_name"] in names}
    for split, of in (("train", "2.png"), ("val", "1.png")):
        shutil.copy(folder / "images" / of, folder / "photos" / f"{split}.png")
        ids = {id for id, row in rows.items() if row["file_name"] == of}
        part = {
            "images": [{**rows[id], "file_name": f"{split}.png"} for id in ids],
            "categories": tree["categories"],
            "annotations": [row for row in tree["annotations"] if row["image_id"] in ids],
        }
        (folder / f"parts_{split}.json").write_text(json.dumps(part))
    (folder / "parts").mkdir()
    for split in ("train", "val"):
        (folder / f"parts_{split}.json").rename(folder / f"parts/{split}.json")
    build_from_files(folder / "parts", folder / "photos", folder / "other", BuildOptions())
    recipe = read_recipe(small_run, ["data=[other, data]"])
    data = read_training_data(recipe)
    (tmp_path / "out").mkdir()
    (said,) = write_learned(tmp_path / "out", recipe, data)
    assert said.startswith(
        f"{folder / 'other'}: 1 of its 1 held-out images are learned from another"
    )
    assert "(equal files: 1, nearly equal pixels: 0), such as val.png, which is" in said
    assert f"{folder / 'images/1.png'};" in said
    assert write_learned(tmp_path / "out", recipe, data) == []  # said once
    (tmp_path / "alone").mkdir()
    alone = read_recipe(small_run, ["data=[other]"])
    assert write_learned(tmp_path / "alone", alone, read_training_data(alone)) == []


def copy(folder: Path, to: Path, *names: str) -> None:
    to.mkdir()
    for name in names:
        shutil.copytree(folder / name, to / name)
        shutil.rmtree(folder / name)


@pytest.mark.parametrize("data", ["data", "mixed", "imported", "data, mixed, imported"])
def test_moved_with_its_pictures(sets: Path, tmp_path: Path, data: str) -> None:
    copy(sets.parent, tmp_path / "elsewhere", "images", *data.split(", "))
    recipe = Path(shutil.copy(sets, tmp_path / "elsewhere"))
    train(recipe, [f"data=[{data}]", STAGE % ASKED.get(data, ALL)])


def test_moved_alone_it_finds_its_pictures_where_they_were(sets: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere/images").mkdir(parents=True)  # of something else
    shutil.move(sets.parent / "data", tmp_path / "elsewhere/data")
    read = read_training_data(read_recipe(sets, ["data=[elsewhere/data]"]))
    assert all(Path(item.image).parent == sets.parent / "images" for item in read.conversations)


def test_pictures_inside_go_where_it_goes(small_run: Path, tmp_path: Path) -> None:
    """Also where those that it was copied from are still there."""
    data = small_run.parent / "data"
    shutil.copytree(small_run.parent / "images", data / "images")
    manifest = read_manifest(data)
    inside = msgspec.structs.replace(
        manifest, images=str(data / "images"), images_relative="images"
    )
    (data / MANIFEST).write_bytes(msgspec.json.encode(inside))
    shutil.copytree(data, tmp_path / "copy")
    assert images_folder(tmp_path / "copy") == tmp_path / "copy/images"
    assert images_folder(data) == data / "images"


def test_where_the_pictures_are_looked_for_is_said(small_run: Path) -> None:
    images = small_run.parent / "images"
    images.rename(small_run.parent / "photos")
    said = rf"data: its pictures were in {images}, and there is no such folder now; give --images"
    with pytest.raises(InputError, match=said):
        train(small_run)
    images.mkdir()
    said = rf"all of its 6 pictures are gone: there is no {images}/1.png; .* give .* --images DIR"
    with pytest.raises(InputError, match=said):
        train(small_run)


@pytest.mark.parametrize("key", ["images", "data"])
def test_a_path_from_elsewhere_than_the_recipe_is_explained(
    small_run: Path, tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other/src").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "other")
    said = rf"{key}: src is taken from the recipe's folder, and there is no .*src; for .*other/src"
    with pytest.raises(InputError, match=said):
        read_recipe(small_run, [f"{key}={'[src]' if key == 'data' else 'src'}"])
    (small_run.parent / "src").mkdir()
    read_recipe(small_run, ["images=src"])


class TestOfAnOlderVersion:
    """A data set of before objects were kept."""

    @pytest.fixture
    def older(self, small_run: Path) -> Path:
        folder = small_run.parent / "data"
        write_dataset(folder, read_dataset(folder), manifest=read_manifest(folder))
        assert not (folder / OBJECTS).exists()
        return small_run

    def test_it_trains_where_rows_are_enough(self, older: Path) -> None:
        train(older, [STAGE % "locpred: 2"])

    @pytest.mark.parametrize("given", [[], ["augment.crop=true"]])
    def test_it_is_to_be_built_again_where_objects_are_needed(
        self, older: Path, given: list[str]
    ) -> None:
        what = "augment.crop" if given else "stage naming: naming"
        with pytest.raises(InputError, match=f"kept no objects .*; {what} needs .*build it again"):
            check_recipe(read_recipe(older, given))


def test_a_copy_that_lacks_the_objects_is_refused(
    small_run: Path, write_data: Callable[[Path], None]
) -> None:
    (small_run.parent / "data" / OBJECTS).unlink()
    with pytest.raises(InputError, match=r"objects\.parquet: cannot be read .*build the data set"):
        train(small_run)


def test_images_are_where_the_recipe_says(sets: Path) -> None:
    """One folder for all data sets, or one for each; beside the recipe, as the data are."""
    folder = sets.parent
    before = read_training_data(read_recipe(sets, ["data=[data, imported]"]))
    shutil.copytree(folder / "images", folder / "shelf/more")
    (folder / "images").rename(folder / "photos")
    for images in ("photos", "[photos, photos]", "[photos, shelf/more]", '["photos"]'):
        recipe = read_recipe(sets, ["data=[data, imported]", f"images={images}"])
        read = read_training_data(recipe)
        assert len(read.conversations) == len(before.conversations)
        assert Path(read.conversations[0].image).parent == folder / "photos"
        last = "shelf/more" if "shelf" in images else "photos"
        assert Path(read.conversations[-1].image).parent == folder / last
    with pytest.raises(InputError, match="images: 3 folders for 2 data sets"):
        read_recipe(sets, ["data=[data, imported]", "images=[a, b, c]"])
    with pytest.raises(InputError, match="holds none of the images of"):
        read_training_data(read_recipe(sets, ["images=shelf"]))
    Image.new("RGB", (60, 40)).save(folder / "photos/1.png")
    with pytest.raises(InputError, match=r"1\.png has"):
        read_training_data(read_recipe(sets, ["images=photos"]))


def test_a_begun_run_goes_on_with_images_that_were_moved(small_run: Path) -> None:
    begun, out = read_recipe(small_run), Path("out")
    (out / "naming/model").mkdir(parents=True)
    claim(out, begun)
    record_sources(out, begun)
    (small_run.parent / "images").rename("photos")
    Path("elsewhere").mkdir()
    shutil.move("data", "elsewhere/data")
    moved = ["data=[elsewhere/data]", "images=photos"]
    assert find_changes(out, read_recipe(small_run, moved)) == []
    assert _read_data(read_recipe(small_run, moved)) is not None
