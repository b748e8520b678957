from pathlib import Path

import pytest

from locvlm.errors import InputError
from locvlm.io.confined_paths import confine, confine_output, relative_inside


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("a.jpg", "a.jpg"),
        ("deep/a.jpg", "deep/a.jpg"),
        ("deep/../a.jpg", "a.jpg"),
        ("./a b#%.jpg", "a b#%.jpg"),
        ("..a.jpg", "..a.jpg"),
        ("../a.jpg", None),
        ("deep/../../a.jpg", None),
        ("../photos-2/a.jpg", None),
        ("/etc/passwd", None),
        ("..\\a.jpg", None),
        ("deep\\..\\..\\a.jpg", None),
        ("C:\\a.jpg", None),
        ("c:/a.jpg", None),
        ("\\\\host\\a.jpg", None),
        ("a\0.jpg", None),
        ("", None),
        (".", None),
        ("..", None),
    ],
)
@pytest.mark.parametrize("folder", ["photos", "../photos", "/data/photos", "/data/x/../photos"])
def test_names(folder: str, name: str, inside: str | None) -> None:
    assert relative_inside(Path(folder), name) == (inside and Path(inside))


def test_an_absolute_name_in_the_folder(tmp_path: Path) -> None:
    assert confine(tmp_path, f"{tmp_path}/a.jpg") == tmp_path / "a.jpg"


def test_links_are_followed_for_what_is_written(tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    out.mkdir()
    elsewhere.mkdir()
    (out / "link").symlink_to(elsewhere)
    (out / "inner").symlink_to(out / "a")
    (tmp_path / "way").symlink_to(out)  # which the user has typed
    assert confine(out, "link/a.jpg") == out / "link" / "a.jpg"
    assert confine_output(tmp_path / "way", "a/new") == tmp_path / "way" / "a" / "new"
    assert confine_output(out, "inner/new") == out / "inner" / "new"
    with pytest.raises(InputError, match="a link on its way leads out"):
        confine_output(out, "link/new")
    with pytest.raises(InputError, match="'../x': leads out of"):
        confine_output(out, "../x")
