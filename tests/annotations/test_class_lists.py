from pathlib import Path

import pytest

from locvlm.annotations.class_lists import find_class_list, read_class_list
from locvlm.errors import InputError


@pytest.mark.parametrize("name", ["classes.txt", "obj.names", "coco.names", "labels.txt"])
def test_one_name_a_line(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes("\ufeffcat\r\ntraffic  light\r\n\r\n".encode())
    assert find_class_list(tmp_path) == tmp_path / name
    assert read_class_list(tmp_path / name) == {0: "cat", 1: "traffic light"}


def test_label_studios_notes(tmp_path: Path) -> None:
    (tmp_path / "notes.json").write_text('{"categories": [{"id": 0, "name": "cat"}], "info": {}}')
    assert find_class_list(tmp_path) == tmp_path / "notes.json"
    assert read_class_list(tmp_path / "notes.json") == {0: "cat"}


def test_none(tmp_path: Path) -> None:
    assert find_class_list(tmp_path) is None


@pytest.mark.parametrize(("text", "said"), [("", "it is empty"), ("a\n\nb", "line 2 is empty")])
def test_broken_lists(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text(text)
    with pytest.raises(InputError, match=said):
        read_class_list(tmp_path / "classes.txt")


def test_lists_that_differ_are_refused(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("cat")
    (tmp_path / "obj.names").write_text("cat\n")
    assert find_class_list(tmp_path)
    (tmp_path / "obj.names").write_text("dog\n")
    with pytest.raises(InputError, match=r"several lists of class names \(classes.txt, obj.names"):
        find_class_list(tmp_path)
