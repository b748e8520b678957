"""What all readers have in common: the same pictures in every form are the same pictures."""

import doctest
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any, ClassVar

import pytest

from locvlm import annotations
from locvlm.annotations.base import AnnotationSet
from locvlm.annotations.readers import READERS
from locvlm.errors import InputError
from locvlm.geometry import Box

DOG = Box(4, 6, 24, 21)
NAMES = annotations.names()
# Those that name no picture without objects, for what has no row has no line in their file.
ONLY_OBJECTS = ("openimages", "refcoco")
# Nobody looked for everything: what is absent is said, or nothing is.
SAID = {"lvis": ["cat"], "openimages": [], "visualgenome": [], "flickr30k": []}


def read(sample: Any, folder: Path, **options: Any) -> AnnotationSet:
    path = sample.write(folder)
    return annotations.read(sample.reader, path, images=folder / sample.images, **options)


def close(a: Box, b: Box) -> bool:
    return all(abs(getattr(a, e) - getattr(b, e)) < 1e-9 for e in ("x1", "y1", "x2", "y2"))


def test_no_reader_is_without_a_sample(samples: dict[str, Any]) -> None:
    assert sorted(samples) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_dog_is_where_it_is(name: str, samples: dict[str, Any], tmp_path: Path) -> None:
    data = read(samples[name], tmp_path)
    seven, *rest = data.images
    assert all(close(item.box, DOG) for item in seven.objects)
    assert seven.objects
    assert not seven.objects[0].crowd
    assert (seven.width, seven.height) == (40, 30)
    assert [Path(image.file_name).name for image in rest] == ["8.jpg"] * (name not in ONLY_OBJECTS)
    assert all(image.objects == () for image in rest)
    assert (tmp_path / samples[name].images / seven.file_name).is_file()
    assert data.source == tmp_path / samples[name].path


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_a_good_sample_is_dropped(
    name: str, samples: dict[str, Any], tmp_path: Path
) -> None:
    scene = {"phrases without a box": 1} if name == "flickr30k" else {}
    assert read(samples[name], tmp_path).drops == scene


@pytest.mark.parametrize("name", NAMES)
def test_what_is_absent(name: str, samples: dict[str, Any], tmp_path: Path) -> None:
    data = read(samples[name], tmp_path)
    found_only = [c for c in data.categories if c != "dog"]  # of voc and table: none
    assert data.images[0].absent_of(data.categories) == SAID.get(name, found_only)


@pytest.mark.parametrize("name", NAMES)
def test_the_form_is_guessed(name: str, samples: dict[str, Any], tmp_path: Path) -> None:
    guessed, reason = annotations.detect_format(samples[name].write(tmp_path))
    assert guessed == name
    assert reason


@pytest.mark.parametrize("name", NAMES)
def test_missing_pictures_are_counted(name: str, samples: dict[str, Any], tmp_path: Path) -> None:
    if name in ONLY_OBJECTS:
        pytest.skip("only one picture in the sample")
    kept = {file: c for file, c in samples[name].files.items() if not file.endswith("8.jpg")}
    data = read(replace(samples[name], files=kept), tmp_path)
    assert [Path(image.file_name).name for image in data.images] == ["7.jpg"]
    # A folder of YOLO is its own list of pictures.
    missing = {} if name == "yolo" else {"pictures whose file is missing": 1}
    assert missing.items() <= data.drops.items()


@pytest.mark.parametrize("name", NAMES)
def test_no_picture_there(name: str, samples: dict[str, Any], tmp_path: Path) -> None:
    kept = {file: c for file, c in samples[name].files.items() if not file.endswith(".jpg")}
    (tmp_path / "photos").mkdir()
    (tmp_path / "images" / "train").mkdir(parents=True)
    path = replace(samples[name], files=kept).write(tmp_path)
    with pytest.raises(InputError) as caught:
        annotations.read(name, path, images=tmp_path / "photos")
    assert "none of" in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_no_such_file_or_folder(name: str, samples: dict[str, Any], tmp_path: Path) -> None:
    path = samples[name].write(tmp_path)
    with pytest.raises(InputError, match="nowhere"):
        annotations.read(name, tmp_path / "nowhere", images=tmp_path)
    with pytest.raises(InputError, match="no such folder of pictures"):
        annotations.read(name, path, images=tmp_path / "nowhere")


class TestRotatedPhoto:
    """Stored as 40 × 30 with a note to turn it: 30 × 40 as displayed."""

    # Of the readers that take sizes from the picture files, the sample without other sizes.
    without_size: ClassVar[dict[str, Callable[[dict[str, bytes]], dict[str, bytes]]]] = {
        "voc": lambda files: {
            n: b"<annotation><filename>7.jpg</filename>" + c.partition(b"</size>")[2]
            if n.endswith(".xml")
            else c
            for n, c in files.items()
            if "8" not in n
        },
        "visualgenome": lambda files: {n: c for n, c in files.items() if n != "image_data.json"},
        "yolo": lambda files: files,
        "openimages": lambda files: files,
    }

    def image(
        self, name: str, samples: dict[str, Any], folder: Path, jpeg: Callable[..., bytes]
    ) -> Any:
        sample = samples[name]
        files = self.without_size[name](sample.files)
        turned = {n: jpeg(6) if n.endswith(".jpg") else c for n, c in files.items()}
        return read(replace(sample, files=turned), folder).images[0]

    @pytest.mark.parametrize("name", sorted(without_size))
    def test_size_is_as_displayed(
        self, name: str, samples: dict[str, Any], tmp_path: Path, jpeg: Callable[..., bytes]
    ) -> None:
        image = self.image(name, samples, tmp_path, jpeg)
        assert (image.width, image.height) == (30, 40)

    def test_yolo_has_shares_of_the_displayed(
        self, samples: dict[str, Any], tmp_path: Path, jpeg: Callable[..., bytes]
    ) -> None:
        [dog] = self.image("yolo", samples, tmp_path, jpeg).objects
        assert close(dog.box, Box(3, 8, 18, 28))

    @pytest.mark.parametrize("name", ["voc", "visualgenome"])
    def test_pixels_are_of_the_displayed(
        self, name: str, samples: dict[str, Any], tmp_path: Path, jpeg: Callable[..., bytes]
    ) -> None:
        assert self.image(name, samples, tmp_path, jpeg).objects[0].box == DOG

    def test_open_images_turns_its_boxes(
        self, samples: dict[str, Any], tmp_path: Path, jpeg: Callable[..., bytes]
    ) -> None:
        [dog] = self.image("openimages", samples, tmp_path, jpeg).objects
        assert close(dog.box, Box(30 - 21, 4, 30 - 6, 24))  # a quarter turn clockwise


def test_names_that_are_not_there() -> None:
    with pytest.raises(InputError, match="'coc'; known: built, coco, cvat"):
        annotations.get("coc")


def test_options_that_a_reader_does_not_take(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="yolo have no captions; they take: images, split"):
        annotations.read("yolo", tmp_path, captions=tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_declares_what_its_function_takes(name: str) -> None:
    function = getattr(import_module(f"locvlm.annotations.{name}"), f"read_{name}")
    assert [*signature(function).parameters] == ["path", "images", *READERS[name].options]


def test_the_registry_is_light() -> None:
    code = (
        "import sys, locvlm.annotations\n"
        "print([m for m in ('pyarrow', 'PIL', 'yaml', 'numpy', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_package_is_not_hidden() -> None:
    code = "from locvlm import annotations\nprint(annotations.names()[0])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "built"


GUIDE = Path(__file__).parents[2] / "docs" / "data" / "annotations.md"


def test_the_guides_examples_are_real(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GUIDE.parents[2])
    failed, tried = doctest.testfile(str(GUIDE), module_relative=False)
    assert failed == 0
    assert tried > 5


def test_the_guide_has_every_reader() -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    assert [name for name in NAMES if f"| `{name}` |" not in guide] == []


# The dog of each sample, moved to where no picture is.
OUTSIDE: dict[str, tuple[bytes, bytes]] = {
    "coco": (b"[4, 6, 20, 15]", b"[90, 6, 20, 15]"),
    "objects365": (b"[4, 6, 20, 15]", b"[90, 6, 20, 15]"),
    "lvis": (b"[4, 6, 20, 15]", b"[90, 6, 20, 15]"),
    "refcoco": (b"[4, 6, 20, 15]", b"[90, 6, 20, 15]"),
    "voc": (b"<xmin>5</xmin><ymin>7</ymin><xmax>24<", b"<xmin>5</xmin><ymin>7</ymin><xmax>4<"),
    "yolo": (b"1 0.35 0.45 0.5 0.5", b"1 0.35 0.45 0.0 0.5"),
    "openimages": (b"1,0.1,0.6", b"1,1.1,1.6"),
    "table": (b"dog,4,6,24,21", b"dog,54,6,74,21"),
}


@pytest.mark.parametrize("name", sorted(OUTSIDE))
def test_what_is_left_out_is_not_absent(name: str, samples: dict[str, Any], tmp_path: Path) -> None:
    files = {file: c.replace(*OUTSIDE[name]) for file, c in samples[name].files.items()}
    image = read(replace(samples[name], files=files), tmp_path).images[0]
    assert image.objects == ()
    category = "Dog" if name == "openimages" else "dog"
    assert category not in replace(image, absent=None).absent_of([category])


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("coco", "photos"),
        ("yolo", "images/train"),
        ("yolo", "labels/train"),
        ("voc", "Annotations"),
        ("flickr30k", "Sentences"),
        ("table", ""),
        ("refcoco", ""),
        ("visualgenome", ""),
    ],
)
def test_no_reader_goes_on_without_a_folder_it_may_not_read(
    name: str,
    folder: str,
    samples: dict[str, Any],
    tmp_path: Path,
    lock: Callable[[Path], None],
) -> None:
    path = samples[name].write(tmp_path / "set")
    lock(tmp_path / "set" / folder)
    with pytest.raises(InputError, match="Permission denied"):
        form, _ = annotations.detect_format(path)
        annotations.read(form, path, images=tmp_path / "set" / samples[name].images)
