"""What may be written, and what is refused before the work."""

import os
from pathlib import Path

import pytest

from locvlm.errors import InputError
from locvlm.io.outputs import (
    MARK,
    Reads,
    check_output_file,
    check_output_folder,
    claim_output_folder,
    fill_output_folder,
    read_mark,
)


def never(_: Path) -> bool:
    return False


def check(out: Path, *reads: Path) -> None:
    check_output_file(out, Reads(reads), is_former=lambda _: True)


class TestFile:
    def test_a_new_one(self, tmp_path: Path) -> None:
        check(tmp_path / "new.json", tmp_path)

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="is a folder; name a file in it"):
            check(tmp_path)

    @pytest.mark.parametrize("kind", ["itself", "link", "hard link", "dotted", "chain"])
    def test_what_is_read_by_any_name(self, kind: str, tmp_path: Path) -> None:
        read, out = tmp_path / "read.json", tmp_path / "out.json"
        read.write_text("mine")
        if kind == "itself":
            out = read
        elif kind == "link":
            out.symlink_to(read)
        elif kind == "hard link":
            os.link(read, out)
        elif kind == "dotted":
            out = tmp_path / ".." / tmp_path.name / "read.json"
        else:
            (tmp_path / "middle").symlink_to("read.json")
            out.symlink_to("middle")
        with pytest.raises(InputError, match="is .*what is read; give another name"):
            check(out, read)
        with pytest.raises(InputError, match="is .*what is read; give another name"):
            check(read, out)
        assert read.read_text() == "mine"

    def test_one_that_is_not_ours_stays(self, tmp_path: Path) -> None:
        out = tmp_path / "out.json"
        out.write_text("mine")
        with pytest.raises(InputError, match="exists and is not rows, so it is not replaced"):
            check_output_file(out, Reads(), is_former=never, form="rows")
        out.write_text("")
        check_output_file(out, Reads(), is_former=never)

    def test_a_device(self) -> None:
        check_output_file(Path(os.devnull), Reads(), is_former=never)
        check_output_file(Path("-"), Reads([Path("-")]), is_former=never)

    def test_where_all_is_read(self, tmp_path: Path) -> None:
        labels = tmp_path / "labels"
        (labels / "deep").mkdir(parents=True)
        reads = Reads(listed=[labels])
        with pytest.raises(InputError, match="lies in .*labels, where all that is there is read"):
            check_output_file(labels / "deep" / "out.json", reads, is_former=never)
        check_output_file(tmp_path / "out.json", reads, is_former=never)

    def test_a_loop_of_links(self, tmp_path: Path) -> None:
        (tmp_path / "a").symlink_to("b")
        (tmp_path / "b").symlink_to("a")
        for out in (tmp_path / "a", tmp_path / "a" / "below"):
            with pytest.raises(InputError, match="links that lead in a circle"):
                check(out)
            with pytest.raises(InputError, match="links that lead in a circle"):
                check_output_folder(out, Reads())
        with pytest.raises(InputError, match="links that lead in a circle"):
            check(tmp_path / "out", tmp_path / "a")


class TestFolder:
    def test_a_new_or_empty_one(self, tmp_path: Path) -> None:
        check_output_folder(tmp_path / "new", Reads([tmp_path]))
        (tmp_path / "empty").mkdir()
        (tmp_path / "empty" / ".DS_Store").touch()
        check_output_folder(tmp_path / "empty", Reads([tmp_path]))
        assert not (tmp_path / "new").exists()

    def test_one_with_other_files(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").touch()
        with pytest.raises(InputError, match=r"holds other files, such as notes\.txt; give a new"):
            check_output_folder(tmp_path, Reads())
        check_output_folder(tmp_path, Reads(), leftovers={"notes.txt"})
        check_output_folder(tmp_path, Reads(), is_own=lambda folder: folder == tmp_path)

    def test_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "out").touch()
        with pytest.raises(InputError, match="is a file; give a folder"):
            check_output_folder(tmp_path / "out", Reads())

    @pytest.mark.parametrize("below", ["", "images", "images/deep"])
    def test_one_that_is_or_holds_what_is_read(self, below: str, tmp_path: Path) -> None:
        read, out = tmp_path / "out" / below, tmp_path / "out"
        read.mkdir(parents=True)
        (tmp_path / "link").symlink_to("out")
        for each in (out, tmp_path / "link"):
            with pytest.raises(InputError, match="is read"):
                check_output_folder(each, Reads([read]), is_own=lambda _: True)

    @pytest.mark.parametrize("inside", [False, True])
    def test_one_with_a_link_to_what_is_read(self, inside: bool, tmp_path: Path) -> None:
        photos, out = tmp_path / "photos", tmp_path / "out"
        (photos / "deep").mkdir(parents=True)
        out.mkdir()
        (out / "pictures").symlink_to(photos / "deep" if inside else photos)
        with pytest.raises(InputError, match="its pictures leads to .*photos, which is read"):
            check_output_folder(out, Reads([photos]), is_own=lambda _: True)

    def test_one_with_a_link_beside_it(self, tmp_path: Path) -> None:
        """Of a root of all images, in which the output lies, too."""
        (tmp_path / "out").mkdir()
        (tmp_path / "runs").mkdir()
        (tmp_path / "out" / "latest").symlink_to(tmp_path / "runs")
        check_output_folder(tmp_path / "out", Reads([tmp_path]), is_own=lambda _: True)


class TestMark:
    def test_who_has_begun_goes_on(self, tmp_path: Path) -> None:
        out = tmp_path / "out"
        for _ in range(2):
            claim_output_folder(out, "ablate", Reads(), work={"over": "location"})
        with pytest.raises(InputError, match="was begun with over 'location', not 'objectives'"):
            claim_output_folder(out, "ablate", Reads(), work={"over": "objectives"})
        with pytest.raises(InputError, match="is what locvlm ablate has made"):
            claim_output_folder(out, "eval", Reads())

    def test_older_ones(self, tmp_path: Path) -> None:
        (tmp_path / "table.md").touch()
        with pytest.raises(InputError, match="holds other files"):
            claim_output_folder(tmp_path, "ablate", Reads())
        claim_output_folder(tmp_path, "ablate", Reads(), is_older=lambda _: True)
        mark = read_mark(tmp_path)
        assert mark is not None
        assert mark.command == "ablate"

    def test_a_whole_folder_is_replaced_while_it_is_as_it_was_left(self, tmp_path: Path) -> None:
        out = tmp_path / "out"
        for name in ("a", "b"):
            with fill_output_folder(out, "inspect", Reads()) as folder:
                (folder / name).write_text("drawn")
        assert sorted(path.name for path in out.iterdir()) == [MARK, "b"]
        assert [path.name for path in tmp_path.iterdir()] == ["out"]

    @pytest.mark.parametrize("name", ["a", "notes"])
    def test_what_a_user_has_changed_or_added_stays(self, name: str, tmp_path: Path) -> None:
        out = tmp_path / "out"
        with fill_output_folder(out, "inspect", Reads()) as folder:
            (folder / "a").write_text("drawn")
        (out / name).write_text("mine!")
        with (
            pytest.raises(InputError, match=f"{name} is not as locvlm inspect has left it"),
            fill_output_folder(out, "inspect", Reads()),
        ):
            raise AssertionError
        assert (out / name).read_text() == "mine!"

    def test_other_work_needs_to_be_told(self, tmp_path: Path) -> None:
        out = tmp_path / "out"
        with fill_output_folder(out, "merge", Reads(), work={"model": "a"}):
            pass
        with (
            pytest.raises(InputError, match="was begun with model 'a', not 'b'"),
            fill_output_folder(out, "merge", Reads(), work={"model": "b"}),
        ):
            raise AssertionError
        with fill_output_folder(out, "merge", Reads(), work={"model": "b"}, overwrite=True):
            pass
