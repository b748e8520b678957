from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from locvlm import annotations
from locvlm.annotations.base import AnnotationSet
from locvlm.annotations.yolo import read_yolo
from locvlm.errors import InputError
from locvlm.geometry import Box

YAML = "train: images/train\nval: images/val\nnames: [cat, dog]\n"


@pytest.fixture
def root(tmp_path: Path, jpeg: Callable[..., bytes]) -> Path:
    """A data set with one picture for training and one for validation, labelled as empty."""
    for split in ("train", "val"):
        for kind in ("images", "labels"):
            (tmp_path / kind / split).mkdir(parents=True)
        (tmp_path / "images" / split / f"{split}.jpg").write_bytes(jpeg())
        (tmp_path / "labels" / split / f"{split}.txt").touch()
    (tmp_path / "data.yaml").write_text(YAML)
    return tmp_path


def labelled(root: Path, text: str, yaml: str = YAML) -> AnnotationSet:
    (root / "data.yaml").write_text(yaml)
    (root / "labels" / "train" / "train.txt").write_text(text)
    return read_yolo(root, split="train")


def refuse(root: Path, text: str = "", yaml: str = YAML, **options: Any) -> str:
    (root / "data.yaml").write_text(yaml)
    (root / "labels" / "train" / "train.txt").write_text(text)
    with pytest.raises(InputError) as caught:
        read_yolo(root / "data.yaml", **options)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_empty_labels_are_pictures_without_objects(root: Path) -> None:
    data = read_yolo(root, split="all")
    assert [(i.file_name, i.objects) for i in data.images] == [
        ("images/train/train.jpg", ()),
        ("images/val/val.jpg", ()),
    ]
    assert data.images[0].absent_of(data.categories) == ["cat", "dog"]
    assert not data.drops


def test_missing_labels_are_counted(root: Path) -> None:
    (root / "labels" / "val" / "val.txt").unlink()
    data = read_yolo(root, split="all")
    assert [image.id for image in data.images] == ["images/train/train.jpg"]
    assert data.drops == {"pictures without a label file": 1}


def test_file_names_are_relative_to_the_folder_of_pictures(root: Path) -> None:
    data = read_yolo(root, images=root / "images" / "val", split="all")
    assert [image.file_name for image in data.images] == ["val.jpg"]
    assert data.drops == {"pictures outside of the folder of pictures": 1}


@pytest.mark.parametrize(
    ("line", "box"),
    [
        ("1 0.5 0.5 1 1", Box(0, 0, 40, 30)),
        ("1.0 0.25 0.5 0.5 0.2", Box(0, 12, 20, 18)),
        ("1 0.1 0.2 0.6 0.2 0.6 0.7", Box(4, 6, 24, 21)),
        ("1 0.1 0.2 0.6 0.3 0.5 0.7 0.1 0.5", Box(4, 6, 24, 21)),
    ],
)
def test_boxes_and_polygons(line: str, box: Box, root: Path) -> None:
    data = labelled(root, line)
    [item] = data.images[0].objects
    assert item.category == "dog"
    for edge in ("x1", "y1", "x2", "y2"):
        assert getattr(item.box, edge) == pytest.approx(getattr(box, edge))
    lost = {7: "polygons", 9: "rotated boxes"}.get(len(line.split()))
    assert list(data.drops) == (
        [f"{lost}, of which the upright box around them is taken"] if lost else []
    )


def test_key_points_are_not_read(root: Path) -> None:
    yaml = f"{YAML}kpt_shape: [2, 3]\n"
    data = labelled(root, "1 0.5 0.5 1 1 0.1 0.1 2 0.9 0.9 0", yaml)
    assert [item.box for item in data.images[0].objects] == [Box(0, 0, 40, 30)]


def test_what_is_counted(root: Path) -> None:
    data = labelled(root, "1 .5 .5 1 1\n\n1 .5 .5 1 1\n0 .5 .5 0 1\n0 1.9 1.9 .1 .1\n0 .1 .1 1 1\n")
    assert [item.category for item in data.images[0].objects] == ["dog", "cat"]
    assert data.images[0].not_exhaustive == ("cat",)
    assert data.drops == {
        "repeated lines in label files": 1,
        "boxes without area": 1,
        "boxes outside the picture": 1,
        "boxes clipped to the picture": 1,
    }


def test_key_points_may_be_pixels(root: Path) -> None:
    assert labelled(root, "1 .5 .5 1 1 20 15 2", f"{YAML}kpt_shape: [1, 3]\n").images[0].objects


def test_what_is_left_out_is_not_absent(root: Path) -> None:
    data = labelled(root, "0 .5 .5 0 1\n")
    assert data.images[0].absent_of(data.categories) == ["dog"]


@pytest.mark.parametrize(
    "names", ["[no, dog]", "{0: no, 1: dog}", "\n- no\n- dog", "\n  1: dog\n  0: no"]
)
def test_names_as_list_and_dict(names: str, root: Path) -> None:
    data = labelled(root, "0 .5 .5 1 1", f"train: images/train\nnames: {names}\n")
    assert [item.category for item in data.images[0].objects] == ["no"]  # not False
    assert set(data.categories) == {"no", "dog"}


@pytest.mark.parametrize(
    "train",
    ["./images/train", "../images/train", "[images/train]", "images", "train.txt", "images/train/"],
)
def test_ways_to_name_the_pictures(train: str, root: Path) -> None:
    (root / "train.txt").write_text("./images/train/train.jpg\n\n")
    (root / "data.yaml").write_text(f"train: {train}\nnames: [cat]\n")
    assert "images/train/train.jpg" in [image.file_name for image in read_yolo(root).images]


def test_pictures_that_a_list_names_and_that_are_missing(root: Path) -> None:
    (root / "train.txt").write_text("images/train/train.jpg\nimages/train/none.jpg\n")
    (root / "data.yaml").write_text("train: train.txt\nnames: [cat]\n")
    data = read_yolo(root)
    assert [image.file_name for image in data.images] == ["images/train/train.jpg"]
    assert data.drops == {"pictures whose file is missing": 1}


def test_a_path_that_is_not_there_is_said(root: Path) -> None:
    data = labelled(root, "", f"path: ../datasets/none\n{YAML}")
    assert data.images
    assert data.drops == {"paths in data.yaml that are not there, its own folder taken": 1}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("2 .5 .5 1 1", "line 1: class 2 is not among the names"),
        ("-1 .5 .5 1 1", "class -1"),
        ("dog .5 .5 1 1", "line 1, class: 'dog' is not a number"),
        ("0 .5 .5 1 1\n0 .5 .5 1", "line 2: 3 numbers behind the class"),
        ("0 .5 .5 1 1 .9", "5 numbers behind the class"),
        ("0 .5 .5 nan 1", "line 1: 'nan' is not a finite number"),
        ("0 .5 .5 1e999 1", "line 1: '1e999' is not a finite number"),
        ("0 .5 .5 1e308 1", "line 1: 1e+308 is no share of the picture"),
        ("0 .5 .5 1 1\n0 150 150 20 20", "line 2: 150 is no share of the picture"),
        ("0 .5 .5 -2.1 1", "line 1: -2.1 is no share of the picture"),
        ("0 .1 .2 .6 .2 640 .7", "line 1: 640 is no share of the picture"),
    ],
)
def test_broken_labels_name_their_line(line: str, said: str, root: Path) -> None:
    message = refuse(root, line)
    assert "train.txt" in message
    assert said in message


@pytest.mark.parametrize(
    ("yaml", "said"),
    [
        ("", "not a data.yaml"),
        ("names: [a", "not YAML"),
        ("train: images/train", "has no names"),
        ("train: images/train\nnames: [[a]]", "names[0] is no name"),
        ("train: images/train\nnames: {x: a}", "'x' is not a number"),
        ("names: [a]\ntrain: /etc", "'/etc' does not stay in its folder"),
        ("names: [a]\ntrain: ../../etc", "'../etc' does not stay in its folder"),
        ("names: [a]\ntrain: nowhere", "no folder and no text file"),
        ("names: [a]\ntrain: list.txt", "list.txt: line 2: the file name '../a.jpg'"),
        ("names: [a]\ntrain: {a: b}", "train is neither a folder nor a list"),
        ("names: [a]\ntrain: images/train\npath: [a]", "path is no folder"),
        ("names: [a]\ntrain: images/train\nkpt_shape: 3", "kpt_shape is not"),
        ("names: [a]\ntrain: labels", "leads to 0 pictures"),
    ],
)
def test_broken_settings(yaml: str, said: str, root: Path) -> None:
    (root / "list.txt").write_text("images/train/train.jpg\n../a.jpg\n")
    assert said in refuse(root, yaml=yaml)


def test_a_split_that_is_not_there(root: Path) -> None:
    assert "has no split 'test'; it has: 'train, val'" in refuse(root, split="test")


def test_train_is_read_unless_another_is_asked_for(root: Path) -> None:
    for split, names in ((None, ["train"]), ("val", ["val"]), ("all", ["train", "val"])):
        data = read_yolo(root, split=split)
        assert [Path(image.file_name).stem for image in data.images] == names
        assert data.options == {"split": split or "train"}
        assert data.splits == ("train", "val")


def test_without_named_pictures_the_usual_folders_are_taken(root: Path) -> None:
    (root / "data.yaml").write_text("names: [a]")
    data = read_yolo(root)
    assert [image.file_name for image in data.images] == ["images/train/train.jpg"]
    assert data.splits == ("train", "val")
    assert data.drops == {"data.yaml that names no pictures, the folder images taken": 1}


def test_without_splits_either(root: Path, jpeg: Callable[..., bytes]) -> None:
    (root / "data.yaml").write_text("names: [a]")
    for kind in ("images", "labels"):
        (root / kind / "train").rename(root / kind / "a")
        (root / kind / "val").rename(root / kind / "b")
    data = read_yolo(root)
    assert [image.file_name for image in data.images] == ["images/a/train.jpg", "images/b/val.jpg"]
    assert (data.splits, data.options) == ((), {"split": "all"})


def test_no_pictures_named_and_no_folder_images(root: Path) -> None:
    (root / "images").rename(root / "pictures")
    assert "has no train nor val nor test, and there is no folder" in refuse(
        root, yaml="names: [a]"
    )


def test_folder_without_its_yaml(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has 0 YAML files"):
        read_yolo(tmp_path)


class TestWhereThePicturesAre:
    """Data sets as people have them; ``write`` makes two folders with a picture and its labels."""

    @pytest.fixture
    def write(self, tmp_path: Path, jpeg: Callable[..., bytes]) -> Callable[[str, str], Path]:
        def make(image: str, labels: str) -> Path:
            for name, content in ((image, jpeg()), (labels, b"0 .5 .5 .5 .5")):
                (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / name).write_bytes(content)
            return tmp_path

        return make

    def names(self, data: AnnotationSet) -> list[str]:
        assert all(len(image.objects) == 1 for image in data.images)
        return [image.file_name for image in data.images]

    @pytest.mark.parametrize(
        "train",
        [
            "images\\\\train",
            "HERE/images/train",
            "/content/set/images/train",
            "'C:\\images\\train'",
        ],
    )
    def test_folders_as_other_machines_write_them(
        self, train: str, write: Callable[[str, str], Path]
    ) -> None:
        root = write("images/train/a.jpg", "labels/train/a.txt")
        train = train.replace("\\\\", "\\").replace("HERE", str(root))
        (root / "data.yaml").write_text(f"train: {train}\nnames: [crate]\n")
        assert self.names(read_yolo(root)) == ["images/train/a.jpg"]

    def test_an_absolute_folder_of_another_split(self, write: Callable[[str, str], Path]) -> None:
        root = write("images/a.jpg", "labels/a.txt")
        (root / "data.yaml").write_text("train: /content/train/images\nnames: [crate]\n")
        with pytest.raises(InputError, match="does not stay in its folder"):
            read_yolo(root)

    @pytest.mark.parametrize(
        "line", ["HERE/images/a.jpg", "images\\a.jpg", "data/set/images/a.jpg", "./images/a.jpg"]
    )
    def test_lists_as_other_machines_write_them(
        self, line: str, write: Callable[[str, str], Path]
    ) -> None:
        root = write("images/a.jpg", "labels/a.txt")
        (root / "train.txt").write_text(line.replace("HERE", str(root)))
        (root / "data.yaml").write_text("train: train.txt\nnames: [crate]\n")
        assert self.names(read_yolo(root)) == ["images/a.jpg"]

    def test_a_path_from_where_the_trainer_was_started(
        self, write: Callable[[str, str], Path]
    ) -> None:
        root = write("dataset/images/train/a.jpg", "dataset/labels/train/a.txt")
        (root / "configs").mkdir()
        yaml = root / "configs" / "data.yaml"
        yaml.write_text("path: dataset\ntrain: images/train\nnames: [crate]\n")
        data = read_yolo(yaml)
        assert self.names(data) == ["images/train/a.jpg"]
        assert data.drops == {"paths in data.yaml that are not there, found in another folder": 1}

    @pytest.mark.parametrize(
        ("images", "labels"),
        [
            ("JPEGImages", "JPEGLabels"),
            ("JPEGImages", "labels"),
            ("image", "label"),
            ("Images/train", "Labels/train"),
            ("images", "images"),
            ("photos", "photos"),
        ],
    )
    def test_folders_of_labels(
        self, images: str, labels: str, write: Callable[[str, str], Path]
    ) -> None:
        root = write(f"{images}/a.jpg", f"{labels}/a.txt")
        (root / "data.yaml").write_text(f"train: {images}\nnames: [crate]\n")
        assert self.names(read_yolo(root)) == [f"{images}/a.jpg"]

    def test_no_labels_anywhere(self, write: Callable[[str, str], Path]) -> None:
        root = write("images/a.jpg", "elsewhere/a.txt")
        (root / "data.yaml").write_text("train: images\nnames: [crate]\n")
        with pytest.raises(InputError, match=r"none of the 1 pictures has a label file; .*labels"):
            read_yolo(root)

    @pytest.mark.parametrize(
        ("image", "label", "listed"),
        [
            ("images/a.jpg", "labels/a.txt", "classes.txt"),
            ("images/a.jpg", "labels/a.txt", "labels/classes.txt"),
            ("train/images/a.jpg", "train/labels/a.txt", "classes.txt"),
            ("a.jpg", "a.txt", "classes.txt"),
            ("obj_train_data/a.jpg", "obj_train_data/a.txt", "obj.names"),
        ],
    )
    def test_class_lists(
        self, image: str, label: str, listed: str, write: Callable[[str, str], Path]
    ) -> None:
        root = write(image, label)
        (root / listed).write_text("crate\npallet\n")
        assert annotations.detect_format(root)[0] == "yolo"
        for path in (root, root / listed):
            data = read_yolo(path)
            assert self.names(data) == [image]
            assert data.categories == ("crate", "pallet")
            assert not data.drops

    def test_darknet(self, write: Callable[[str, str], Path]) -> None:
        """As CVAT exports it: paths begin with data/, which is not there."""
        root = write("obj_train_data/a.jpg", "obj_train_data/a.txt")
        (root / "obj.data").write_text(
            "classes = 1\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n"
        )
        (root / "obj.names").write_text("crate\n")
        (root / "train.txt").write_text("data/obj_train_data/a.jpg\n")
        assert annotations.detect_format(root)[0] == "yolo"
        assert self.names(read_yolo(root)) == ["obj_train_data/a.jpg"]
        assert self.names(read_yolo(root / "obj.data")) == ["obj_train_data/a.jpg"]

    @pytest.mark.parametrize(
        "names", ["coco.names", "{crate: 0, pallet: 1}", "crate, pallet", "[crate, pallet]"]
    )
    def test_names(self, names: str, write: Callable[[str, str], Path]) -> None:
        root = write("images/a.jpg", "labels/a.txt")
        (root / "coco.names").write_text("crate\npallet\n")
        (root / "custom.yaml").write_text(f"train: images\nnc: 2\nnames: {names}\n")
        assert annotations.detect_format(root)[0] == "yolo"
        assert read_yolo(root).categories == ("crate", "pallet")

    def test_names_beside(self, write: Callable[[str, str], Path]) -> None:
        root = write("images/a.jpg", "labels/a.txt")
        (root / "coco.names").write_text("crate\n")
        (root / "data.yaml").write_text("train: images\nnc: 1\n")
        assert read_yolo(root).categories == ("crate",)

    def test_utf_16(self, write: Callable[[str, str], Path]) -> None:
        root = write("images/a.jpg", "labels/a.txt")
        (root / "labels" / "a.txt").write_text("0 .5 .5 .5 .5\n", encoding="utf-16")
        (root / "data.yaml").write_text("train: images\nnames: [crate]\n", encoding="utf-16")
        assert self.names(read_yolo(root)) == ["images/a.jpg"]


@pytest.mark.parametrize("key", ["valid", "validation", "Val"])
def test_other_words_for_val(key: str, root: Path) -> None:
    (root / "data.yaml").write_text(YAML.replace("val:", f"{key}:"))
    assert read_yolo(root).splits == ("train", "val")
    assert [image.split for image in read_yolo(root, split="val").images] == ["val"]


@pytest.mark.parametrize("line", ["val:\n", ""])
def test_a_folder_of_val_that_nothing_names(line: str, root: Path) -> None:
    assert read_yolo(root).remarks == ()
    (root / "data.yaml").write_text(YAML.replace("val: images/val\n", line))
    data = read_yolo(root)
    assert data.splits == ("train",)
    assert data.remarks == (
        "the folder images/val is not read: write val: images/val into data.yaml for the split val",
    )


def test_links_to_pictures_that_are_gone(root: Path) -> None:
    (root / "images" / "train" / "gone.jpg").symlink_to(root / "nowhere.jpg")
    assert read_yolo(root).drops == {"links to pictures that lead nowhere": 1}
