"""`locvlm build`: what it says about what it reads."""

import json
from pathlib import Path

import pytest

from locvlm import annotations, cli
from locvlm.instructions.dataset import read_manifest
from tests.command_line import fails_with_one_line


def voc(folder: Path) -> tuple[str, ...]:
    """One VOC picture in `folder`; the arguments of build for it."""
    box = "<xmin>1</xmin><ymin>1</ymin><xmax>4</xmax><ymax>4</ymax>"
    (folder / "a.xml").write_text(
        "<annotation><filename>a.jpg</filename><size><width>9</width><height>9</height></size>"
        f"<object><name>dog</name><bndbox>{box}</bndbox></object></annotation>"
    )
    (folder / "a.jpg").touch()
    out = str(folder / "out")
    return "build", "--annotations", str(folder), "--images", str(folder), "--out", out


def test_build_says_what_it_took_the_annotations_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(voc(tmp_path)) == 0
    said = capsys.readouterr()
    assert "read as --from voc: a folder with XML files" in said.err
    assert said.out.startswith("1 pictures")


def test_build_takes_every_reader_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*voc(tmp_path), "--from", "voc"]) == 0
    assert "read as" not in capsys.readouterr().err
    for name in annotations.names():
        if name != "voc":
            line = fails_with_one_line(capsys, *voc(tmp_path), "--from", name)
            assert str(tmp_path) in line


def test_build_says_which_split_it_read(
    tmp_path: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for split in ("train", "val"):
        (tmp_path / "set" / split).mkdir(parents=True)
        (tmp_path / "set" / split / "a.png").write_bytes(photo.read_bytes())
        (tmp_path / "set" / split / "a.txt").write_text("0 .5 .5 .5 .5")
    (tmp_path / "set" / "data.yaml").write_text("train: train\nval: val\nnames: [dog]")
    paths = [str(tmp_path / name) for name in ("set", "set", "out")]
    command = ["build", "--annotations", paths[0], "--images", paths[1], "--out", paths[2]]
    for split in ("train", "all"):
        assert cli.main([*command, *(["--split", split] if split == "all" else [])]) == 0
        said = capsys.readouterr()
        assert f"read --split {split}; there are: train, val" in said.err
        assert read_manifest(tmp_path / "out").options == {"split": split}
    assert said.out.startswith("2 pictures")
    assert cli.main([*command, "--split", "test"]) == 2
    assert "has no split 'test'" in capsys.readouterr().err


def test_captions_for_a_form_that_has_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--captions", str(tmp_path / "c.json"), "--objectives", "caption")
    line = fails_with_one_line(capsys, *voc(tmp_path), *more)
    assert "in the form voc have no captions" in line


def test_annotations_cut_in_half(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "half.json"
    broken.write_text('{"images": [{"id": 1, "file_na')
    line = fails_with_one_line(
        capsys,
        *("build", "--annotations", str(broken), "--images", str(tmp_path)),
        *("--out", str(tmp_path / "out")),
    )
    assert str(broken) in line
    assert not (tmp_path / "out").exists()


def test_build_ends_with_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [*voc(tmp_path), "--objectives", "locpred,revloc,category"]
    path = tmp_path / "a.xml"
    thing = path.read_text().split("<object>")[1].split("</object>")[0]
    first = thing.replace("dog", "cat")
    second = first.replace("<xmax>4", "<xmax>8")
    path.write_text(
        path.read_text().replace(
            "</annotation>", f"<object>{first}</object><object>{second}</object></annotation>"
        )
    )
    assert cli.main(command) == 0
    said = capsys.readouterr()
    rows = [line.replace("│", " ").split() for line in said.out.splitlines()]
    assert ["locpred", "1", "1", "0", "1", "1"] in rows
    assert ["revloc", "3", "3", "0", "1", "2"] in rows
    assert ["category", "1", "–", "–", "1", "–"] in rows
    assert "locpred leaves out 2 of 3 objects: their picture holds several of the kind" in said.out
    assert "--objectives locpred,revloc,category,multiple also asks where all of" in said.out
    assert "no pictures are held out, to see what a training changes: --hold-out 0.2" in said.err
    out = str(tmp_path / "out")
    assert said.err.splitlines()[-1] == f"next: locvlm inspect {out} --model tiny --out looks"

    assert cli.main([*command, "--json"]) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert told["data"] == out
    assert told["asked"]["locpred"]["left_out"][0]["count"] == 2
    assert told.items() >= json.loads((tmp_path / "out" / "manifest.json").read_text()).items()
    assert "next:" not in said.err


def test_absences_are_even_unless_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "photos").mkdir()
    for number in range(4):
        (tmp_path / "photos" / f"{number}.jpg").touch()
    kinds = ["ant", "bee", "cat", "dog", "elk", "fox", "gnu"]
    tree = {
        "images": [{"id": n, "file_name": f"{n}.jpg", "width": 9, "height": 9} for n in range(4)],
        "annotations": [
            {"id": n, "image_id": n, "category_id": n, "bbox": [1, 1, 4, 4]} for n in range(4)
        ],
        "categories": [{"id": n, "name": name} for n, name in enumerate(kinds)],
    }
    (tmp_path / "shop.json").write_text(json.dumps(tree))
    command = ["build", "--annotations", str(tmp_path / "shop.json"), "--unboxed"]
    command += ["--images", str(tmp_path / "photos"), "--out", str(tmp_path / "out")]
    for given, told, absences, number in (
        ([], "2 to 8", (2, 8), 8),
        (["--absences", "3"], "3", (3, 3), 12),
        (["--absences", "4-8"], "4 to 8", (4, 8), 16),
    ):
        assert cli.main([*command, *given]) == 0
        said = capsys.readouterr().out
        assert f"negpred asks about {told} absent categories of a picture (--absences)" in said
        manifest = read_manifest(tmp_path / "out")
        assert manifest.absences == absences
        assert manifest.counts == {"locpred": 4, "negpred": number, "revloc": 4}
        assert manifest.asked["negpred"].absent == number
    assert "leave negpred out" in fails_with_one_line(capsys, *command, "--absences", "0")
    more = ("--absences", "3", "--objectives", "locpred")
    assert "of negpred" in fails_with_one_line(capsys, *command, *more)
