import json
from pathlib import Path

from locvlm.annotations.objects365 import read_objects365

NAME = "images/v2/patch43/objects365_v2_01.jpg"


def write(folder: Path) -> Path:
    image = {"id": 7, "width": 9, "height": 9, "file_name": NAME}
    box = {"id": 1, "image_id": 7, "category_id": 1, "bbox": [0, 0, 2, 2], "isfake": 1}
    categories = [{"id": 1, "name": "Dog"}]
    path = folder / "zhiyuan_objv2_val.json"
    tree = {"images": [image], "annotations": [box], "categories": categories}
    path.write_text(json.dumps(tree))
    return path


def test_without_looking_the_name_is_as_declared(tmp_path: Path) -> None:
    data = read_objects365(write(tmp_path))
    assert data.images[0].file_name == NAME
    assert [item.category for item in data.images[0].objects] == ["Dog"]


def test_folders_that_the_archives_do_not_have(tmp_path: Path) -> None:
    path = write(tmp_path)
    for name in ("objects365_v2_01.jpg", "patch43/objects365_v2_01.jpg", NAME):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
        assert read_objects365(path, images=tmp_path).images[0].file_name == name
