import hashlib
import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from locvlm import annotations
from locvlm.errors import InputError
from locvlm.evaluation.fitting import tasks_for
from locvlm.evaluation.task import Sources
from locvlm.geometry import Point
from locvlm.instructions import question_rows as module
from locvlm.instructions.build import QuestionOptions
from locvlm.instructions.build_files import BuildOptions, build_from_files
from locvlm.instructions.dataset import read_dataset, read_manifest
from locvlm.instructions.source_files import digest_files
from locvlm.io.atomic import part_path


def killed(*_: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1.jpg").touch()
    path = tmp_path / "instances.json"
    sizes = {"width": 100, "height": 100}
    tree = {
        "images": [{"id": i, "file_name": f"{i}.jpg", **sizes} for i in (1, 2)],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 20, 20]},
            {"id": 2, "image_id": 2, "category_id": 1, "bbox": [10, 10, 0, 20]},
            {"id": 3, "image_id": 2, "category_id": 2, "bbox": [30, 30, 40, 40]},
        ],
        "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}],
    }
    path.write_text(json.dumps(tree))
    said = {"annotations": [{"image_id": 1, "caption": "A dog."}]}
    (tmp_path / "captions.json").write_text(json.dumps(said))
    return path


def test_manifest(source: Path, tmp_path: Path) -> None:
    manifest = build_from_files(
        source,
        tmp_path / "images",
        tmp_path / "out",
        BuildOptions(questions=QuestionOptions(seed=3)),
    )
    assert manifest == read_manifest(tmp_path / "out")
    assert manifest.annotations == str(source)
    assert manifest.annotations_sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    assert manifest.images == str(tmp_path / "images")
    assert manifest.categories == ("dog", "cat")
    assert (manifest.seed, manifest.location, manifest.captions) == (3, "box", "")
    assert manifest.pictures == 1
    assert manifest.counts == {"locpred": 1, "negpred": 1, "revloc": 1}
    assert manifest.drops == {"boxes without area": 1, "pictures whose file is missing": 1}


def test_digest_of_a_folder(tmp_path: Path) -> None:
    folder, digests = tmp_path / "voc", []
    folder.mkdir()
    size = "<size><width>9</width><height>9</height></size>"
    box = "<xmin>1</xmin><ymin>1</ymin><xmax>4</xmax><ymax>4</ymax>"
    thing = f"<object><name>dog</name><bndbox>{box}</bndbox></object>"
    for name, picture in (("a", b"1"), ("a", b"2"), ("b", b"2")):  # the pictures do not count
        (folder / f"{name}.xml").write_text(f"<annotation>{size}{thing}</annotation>")
        (folder / f"{name}.jpg").write_bytes(picture)
        made = build_from_files(folder, folder, tmp_path / "out", BuildOptions(reader="voc"))
        digests.append(made.annotations_sha256)
    assert digests[0] == digests[1] != digests[2]


def test_data(source: Path, tmp_path: Path) -> None:
    questions = QuestionOptions(("caption", "locpred"), location="point")
    captions = tmp_path / "captions.json"
    options = BuildOptions(captions=captions, questions=questions)
    build_from_files(source, tmp_path / "images", tmp_path / "out", options)
    (made,) = read_dataset(tmp_path / "out")
    assert [item.answer for item in made.instructions] == ["A dog.", "It is located at {loc}"]
    assert made.instructions[1].locations == (Point(20, 20),)
    assert read_manifest(tmp_path / "out").captions == str(captions)


def test_options_that_would_do_nothing(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(InputError, match="by the objective caption alone"):
        build_from_files(
            source, tmp_path / "images", out, BuildOptions(captions=tmp_path / "captions.json")
        )
    with pytest.raises(InputError, match="give --mix too"):
        build_from_files(source, tmp_path / "images", out, BuildOptions(mix_ratio=0.3))
    assert not out.exists()


def test_relative_paths_become_absolute(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    manifest = build_from_files(Path("instances.json"), Path("images"), Path("out"))
    assert (manifest.annotations, manifest.images) == (str(source), str(tmp_path / "images"))


def test_out_with_something_else_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").touch()
    with pytest.raises(InputError, match="new or empty folder"):
        build_from_files(tmp_path / "none.json", tmp_path, tmp_path)


def test_no_instruction_at_all(source: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gives no instruction for spatial"):
        build_from_files(
            source,
            tmp_path / "images",
            tmp_path / "out",
            BuildOptions(questions=QuestionOptions(objectives=["spatial"])),
        )
    assert not (tmp_path / "out").exists()


def test_without_looking_at_the_pictures(source: Path, tmp_path: Path) -> None:
    manifest = build_from_files(source, None, tmp_path / "out", BuildOptions(find_images=False))
    assert (manifest.images, manifest.pictures) == ("", 2)
    there = build_from_files(
        source, tmp_path / "nowhere", tmp_path / "out", BuildOptions(find_images=False)
    )
    assert (there.images, there.pictures) == (str(tmp_path / "nowhere"), 2)
    assert there.data_sha256 == manifest.data_sha256


def test_pictures_must_be_somewhere_to_be_looked_for(source: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give --images or --no-images"):
        build_from_files(source, None, tmp_path / "out")


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_engine_workers_and_batches_change_nothing(
    engine: Any, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine == "ray":
        pytest.importorskip("ray")
    questions = QuestionOptions(negatives="adversarial", per_category=1)
    options = BuildOptions(find_images=False, questions=questions)
    one = build_from_files(source, None, tmp_path / "one", options)
    monkeypatch.setattr(module, "AT_ONCE", 1)
    two = build_from_files(
        source, None, tmp_path / "two", replace(options, engine=engine, workers=2)
    )
    assert read_dataset(tmp_path / "one") == read_dataset(tmp_path / "two")
    assert msgspec.structs.replace(one, data_sha256=two.data_sha256) == two


def test_a_killed_worker_leaves_nothing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_make_batch", killed)
    with pytest.raises(InputError, match="ended early: killed"):
        build_from_files(source, None, tmp_path / "out", BuildOptions(find_images=False, workers=2))
    assert not (tmp_path / "out").exists()


def test_a_build_that_fails_leaves_nothing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 1)
    make = module._make_batch
    calls = []

    def dies(plan: Any, images: Any) -> Any:
        calls.append(images)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return make(plan, images)

    monkeypatch.setattr(module, "_make_batch", dies)
    with pytest.raises(KeyboardInterrupt):
        build_from_files(source, None, tmp_path / "out", BuildOptions(find_images=False))
    assert not (tmp_path / "out").exists()


def test_words_for_categories_go_all_the_way(source: Path, tmp_path: Path) -> None:
    """From the build to what is asked about the built data set; its own names stay beside them."""
    (tmp_path / "images" / "2.jpg").touch()
    (tmp_path / "names.yaml").write_text("dog: 犬\n2: a small cat | kitten\n")
    options = BuildOptions(names=tmp_path / "names.yaml")
    manifest = build_from_files(source, tmp_path / "images", tmp_path / "out", options)
    assert manifest.categories == ("犬", "a small cat")
    assert manifest.names == {"dog": ("犬",), "cat": ("a small cat", "kitten")}
    texts = " ".join(
        item.question + item.answer
        for row in read_dataset(tmp_path / "out")
        for item in row.instructions
    )
    assert "犬" in texts and "a small cat" in texts and "dog" not in texts
    data = annotations.read("built", tmp_path / "out")
    assert (data.categories, data.names) == (manifest.categories, manifest.names)
    asked = tasks_for(Sources({"annotations": tmp_path / "out"}))
    assert "locate" in asked.fits
    plain = build_from_files(source, tmp_path / "images", tmp_path / "plain")
    assert (plain.names, plain.categories) == ({}, ("dog", "cat"))
    (tmp_path / "names.yaml").write_text("dgo: 犬")
    with pytest.raises(InputError, match=r"names\.yaml: 'dgo' is no category .*mean 'dog'"):
        build_from_files(source, tmp_path / "images", tmp_path / "other", options)
    assert not (tmp_path / "other").exists()


def test_a_data_set_among_the_annotations_changes_no_digest(tmp_path: Path) -> None:
    """Nor does one that is being written."""
    folder = tmp_path / "labels"
    folder.mkdir()
    (folder / "a.json").write_text("{}")
    alone = digest_files(folder)
    out = folder / "out"
    out.mkdir()
    part_path(out / "instructions.parquet").touch()
    (out / "faces.jsonl").touch()
    assert digest_files(folder) == alone
    part_path(out / "instructions.parquet").rename(out / "instructions.parquet")
    (out / "manifest.json").touch()
    assert digest_files(folder) == alone
    (out / "manifest.json").unlink()
    assert digest_files(folder) != alone
