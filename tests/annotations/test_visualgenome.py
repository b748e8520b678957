import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from locvlm.annotations.base import Object
from locvlm.annotations.visualgenome import read_visualgenome
from locvlm.errors import InputError
from locvlm.geometry import Box
from locvlm.instructions import objectives
from locvlm.instructions.build import QuestionOptions, build


def thing(*names: str, **more: Any) -> dict[str, Any]:
    return {"object_id": 1, "x": 1, "y": 2, "w": 3, "h": 4, "names": list(names)} | more


def region(phrase: str) -> dict[str, Any]:
    return {"region_id": 2, "x": 1, "y": 2, "width": 3, "height": 4, "phrase": phrase}


def write(folder: Path, **files: Any) -> Path:
    sizes = [{"image_id": 7, "width": 40, "height": 30, "url": "https://a/b/VG_100K_2/7.jpg"}]
    for name, tree in ({"image_data": sizes} | files).items():
        (folder / f"{name}.json").write_text(json.dumps(tree))
    return folder


def listed(*items: Any, number: int = 7) -> list[Any]:
    return [{"image_id": number, "objects": list(items)}]


def regions(*phrases: str) -> list[Any]:
    return [{"id": 7, "regions": [region(phrase) for phrase in phrases]}]


def refuse(path: Path, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        read_visualgenome(path, **options)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_empty_lists(tmp_path: Path) -> None:
    data = read_visualgenome(write(tmp_path, objects=[], region_descriptions=[]))
    assert (data.images, data.categories, data.drops) == ((), (), {})


def test_objects_and_regions(tmp_path: Path) -> None:
    files = {"objects": listed(thing("dog", "puppy")), "region_descriptions": regions("a dog ")}
    data = read_visualgenome(write(tmp_path, **files))
    box = Box(1, 2, 4, 6)
    [image] = data.images
    assert image.objects == (
        Object("dog", box, id=1),
        Object("a dog", box, id=2, descriptions=("a dog",)),
    )
    assert data.categories == ("dog",)
    assert image.absent == ()
    assert image.url == "https://a/b/VG_100K_2/7.jpg"


def test_nobody_knows_how_many_there_are(tmp_path: Path) -> None:
    things = listed(thing("dog"), thing("cup"), thing("cup", x=20))
    files = {"objects": things, "region_descriptions": regions("a red cup")}
    data = read_visualgenome(write(tmp_path, **files))
    asked = [name for name in objectives.names() if name != "caption"]
    built = build(data, QuestionOptions(asked, spatial=objectives.RELATIONS))
    assert built.counts == dict.fromkeys(asked, 0) | {"locpred": 1, "revloc": 4}


def test_one_file_alone(tmp_path: Path) -> None:
    files = {"objects": listed(thing("dog")), "region_descriptions": regions("a dog")}
    folder = write(tmp_path, **files)
    seen = read_visualgenome(folder / "region_descriptions.json")
    assert [item.category for item in seen.images[0].objects] == ["a dog"]


@pytest.mark.parametrize("name", ["VG_100K_2/7.jpg", "VG_100K/7.jpg", "7.jpg"])
def test_folders_of_the_pictures(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    data = read_visualgenome(write(tmp_path, objects=listed(thing("dog"))), images=tmp_path)
    assert [image.file_name for image in data.images] == [name]


def test_sizes_of_the_files_where_none_are_declared(
    tmp_path: Path, jpeg: Callable[..., bytes]
) -> None:
    folder = write(tmp_path, objects=listed(thing("dog")))
    (folder / "image_data.json").unlink()
    (folder / "7.jpg").write_bytes(jpeg())
    [image] = read_visualgenome(folder, images=folder).images
    assert (image.width, image.height) == (40, 30)
    assert "image_data.json is not beside it" in refuse(folder)


def test_what_is_counted(tmp_path: Path) -> None:
    things = listed(thing(), thing(" "), thing("{loc}"), thing("dog", w=0))
    files = {"objects": things + listed(number=9), "region_descriptions": regions("", "a {dog}")}
    assert read_visualgenome(write(tmp_path, **files)).drops == {
        "objects whose name is empty or has braces": 3,
        "regions whose phrase is empty or has braces": 2,
        "boxes without area": 1,
        "pictures without a size in image_data.json": 1,
    }


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "has neither objects.json nor region_descriptions.json"),
        ({"objects": {}}, "objects.json: not a list of objects by picture"),
        ({"objects": listed(thing("dog", x="1"))}, "$[0].objects[0].x"),
        ({"objects": listed(thing("dog", x=1e308, w=1e308))}, "[0].objects[0]"),
        ({"objects": [], "image_data": [{"image_id": 7, "width": 0, "height": 1}]}, "0 × 1 pixels"),
    ],
)
def test_what_cannot_be_read_is_named(files: Any, said: str, tmp_path: Path) -> None:
    assert said in refuse(write(tmp_path, **files))
