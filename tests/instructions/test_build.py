import hashlib
import json
import os
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from locvlm import coordinates
from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.errors import InputError
from locvlm.geometry import Box, Point
from locvlm.instructions import build as module
from locvlm.instructions import objectives
from locvlm.instructions.base import Conversation, Instruction
from locvlm.instructions.build import build, build_from_files
from locvlm.instructions.dataset import read_dataset, read_manifest
from locvlm.instructions.render import render

CATEGORIES = ("dog", "cat", "cup", "kite", "bus", "tv", "bed")


def picture(number: int, *objects: Object, captions: tuple[str, ...] = ()) -> AnnotatedImage:
    return AnnotatedImage(number, f"{number}.jpg", 100, 100, objects, captions)


def annotations(*images: AnnotatedImage, drops: dict[str, int] | None = None) -> AnnotationSet:
    return AnnotationSet(images, CATEGORIES, Path("instances.json"), Counter(drops or {}))


def killed(*_: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


DOG = Object("dog", Box(10, 20, 50, 60), id=1)
CAT = Object("cat", Box(60, 10, 100, 90), id=2)
SPECK = Object("cup", Box(0, 0, 5, 4), id=3)  # 0.2 % of the picture
DATA = annotations(
    picture(1, DOG, CAT, captions=("A dog and a cat.",)),
    picture(2, DOG, DOG, SPECK),
    picture(3, replace(DOG, crowd=True)),
)


def of(made: list[Conversation], objective: str) -> list[Instruction]:
    return [i for c in made for i in c.instructions if i.objective == objective]


def test_no_pictures() -> None:
    built = build(annotations())
    assert built.conversations == []
    assert built.counts == {"locpred": 0, "negpred": 0, "revloc": 0}
    assert built.drops == {}


def test_counts_are_of_what_was_made() -> None:
    built = build(DATA, objectives.names())
    made = Counter(i.objective for c in built.conversations for i in c.instructions)
    assert made == built.counts
    assert built.counts["locpred"] == 3
    assert built.counts["revloc"] == 5
    assert built.counts["negpred"] == 12


def test_conversation_is_one_picture() -> None:
    built = build(DATA)
    assert [(c.image, c.width, c.height, c.source) for c in built.conversations] == [
        (f"{number}.jpg", 100, 100, "instances.json") for number in (1, 2, 3)
    ]


def test_pictures_without_instructions_are_counted() -> None:
    built = build(annotations(picture(1), picture(2, DOG)), ["revloc"])
    assert [c.image for c in built.conversations] == ["2.jpg"]
    assert built.drops == {"pictures without instructions": 1}


def test_drops_of_the_reader_are_passed_on() -> None:
    data = annotations(picture(1, DOG), drops={"boxes without area": 3})
    assert build(data).drops == {"boxes without area": 3}
    assert data.drops == {"boxes without area": 3}


def test_everything_can_be_rendered() -> None:
    form = coordinates.get("ivb", bins=224)
    for item in build(DATA, objectives.names(), location="both").conversations:
        for instruction in item.instructions:
            question, answer = render(instruction, form, (item.width, item.height))
            assert "{" not in question + answer


class TestSeed:
    def test_same_seed_same_data(self) -> None:
        assert build(DATA, seed=5, location="both") == build(DATA, seed=5, location="both")

    def test_other_seed_other_data(self) -> None:
        assert build(DATA, seed=5).conversations != build(DATA, seed=6).conversations

    def test_other_pictures_change_nothing(self) -> None:
        whole = build(DATA).conversations
        assert build(annotations(DATA.images[1])).conversations == whole[1:2]

    def test_other_objectives_change_nothing(self) -> None:
        alone = build(DATA, ["negpred"]).conversations
        among = build(DATA, ["revloc", "negpred", "locpred"]).conversations
        assert of(alone, "negpred") == of(among, "negpred")


class TestLocation:
    def test_box_and_point(self) -> None:
        for kind, form in (("box", Box), ("point", Point)):
            made = of(build(DATA, location=kind).conversations, "revloc")  # type: ignore[arg-type]
            assert {type(item.locations[0]) for item in made} == {form}
            assert {item.kind for item in made} == {kind}

    def test_both(self) -> None:
        many = annotations(*(picture(number, DOG) for number in range(60)))
        for name in ("locpred", "negpred", "revloc"):
            kinds = Counter(i.kind for i in of(build(many, location="both").conversations, name))
            assert min(kinds["box"], kinds["point"]) > 10


class TestMinArea:
    data = annotations(picture(1, DOG, SPECK), picture(2, SPECK, replace(SPECK, id=4)))

    def test_small_objects_are_not_asked_about_but_present(self) -> None:
        for seed in range(20):
            built = build(
                self.data, ["locpred", "negpred", "revloc", "spatial"], min_area=0.003, seed=seed
            )
            assert "cup" not in str(built.conversations)
        assert built.counts["revloc"] == built.counts["locpred"] == 1
        assert built.drops == {"objects smaller than min_area, not asked about": 3}

    def test_small_objects_still_make_their_category_plural(self) -> None:
        large = Object("cup", Box(0, 0, 50, 50))
        built = build(annotations(picture(1, SPECK, large)), ["locpred", "revloc"], min_area=0.003)
        assert built.counts == {"locpred": 0, "revloc": 1}

    def test_small_objects_are_still_named(self) -> None:
        built = build(annotations(picture(1, SPECK)), ["category"], min_area=0.5)
        assert of(built.conversations, "category")[0].answer == "cup"

    def test_exactly_at_the_limit_is_kept(self) -> None:
        built = build(self.data, ["revloc"], min_area=0.002)
        assert built.counts == {"revloc": 4}
        assert built.drops == {}

    def test_crowds_are_not_counted_as_small(self) -> None:
        crowd = annotations(picture(1, DOG, replace(SPECK, crowd=True)))
        assert build(crowd, ["revloc"], min_area=0.003).drops == {"crowds, not asked about": 1}


class TestBadArguments:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"objectives": []}, "name at least one"),
            ({"objectives": ["revloc", "revloc"]}, "none of them twice"),
            ({"objectives": ["nothing"]}, "unknown objective 'nothing'"),
            ({"objectives": ["caption"]}, "instances.json: has no captions"),
            ({"min_area": -0.1}, "min_area"),
            ({"min_area": 1.0}, "min_area"),
            ({"min_area": float("nan")}, "min_area"),
        ],
    )
    def test_one_line(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(InputError, match=message):
            build(annotations(picture(1, DOG)), **options)

    def test_braces_in_a_category(self) -> None:
        with pytest.raises(InputError, match="without braces"):
            build(replace(annotations(picture(1, DOG)), categories=("dog", "{loc}")))


class TestFiles:
    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        (tmp_path / "images").mkdir()
        (tmp_path / "images" / "1.jpg").touch()
        path = tmp_path / "instances.json"
        sizes = {"width": 100, "height": 100}
        tree = {
            "images": [{"id": i, "file_name": f"{i}.jpg", **sizes} for i in (1, 2)],
            "annotations": [
                {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 20, 20]},
                {"id": 2, "image_id": 2, "category_id": 1, "bbox": [10, 10, 0, 20]},
            ],
            "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}],
        }
        path.write_text(json.dumps(tree))
        said = {"annotations": [{"image_id": 1, "caption": "A dog."}]}
        (tmp_path / "captions.json").write_text(json.dumps(said))
        return path

    def test_manifest(self, source: Path, tmp_path: Path) -> None:
        manifest = build_from_files(source, tmp_path / "images", tmp_path / "out", seed=3)
        assert manifest == read_manifest(tmp_path / "out")
        assert manifest.annotations == str(source)
        assert manifest.annotations_sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
        assert manifest.images == str(tmp_path / "images")
        assert manifest.categories == ("dog", "cat")
        assert (manifest.seed, manifest.location, manifest.captions) == (3, "box", "")
        assert manifest.pictures == 1
        assert manifest.counts == {"locpred": 1, "negpred": 1, "revloc": 1}
        assert manifest.drops == {"boxes without area": 1, "pictures whose file is missing": 1}

    def test_digest_of_a_folder(self, tmp_path: Path) -> None:
        folder, digests = tmp_path / "voc", []
        folder.mkdir()
        size = "<size><width>9</width><height>9</height></size>"
        box = "<xmin>1</xmin><ymin>1</ymin><xmax>4</xmax><ymax>4</ymax>"
        thing = f"<object><name>dog</name><bndbox>{box}</bndbox></object>"
        for name, picture in (("a", b"1"), ("a", b"2"), ("b", b"2")):  # the pictures do not count
            (folder / f"{name}.xml").write_text(f"<annotation>{size}{thing}</annotation>")
            (folder / f"{name}.jpg").write_bytes(picture)
            made = build_from_files(folder, folder, tmp_path / "out", reader="voc")
            digests.append(made.annotations_sha256)
        assert digests[0] == digests[1] != digests[2]

    def test_data(self, source: Path, tmp_path: Path) -> None:
        options: dict[str, Any] = {"objectives": ["caption", "locpred"], "location": "point"}
        captions = tmp_path / "captions.json"
        build_from_files(
            source, tmp_path / "images", tmp_path / "out", captions=captions, **options
        )
        (made,) = read_dataset(tmp_path / "out")
        assert [item.answer for item in made.instructions] == ["A dog.", "It is located at {loc}"]
        assert made.instructions[1].locations == (Point(20, 20),)
        assert read_manifest(tmp_path / "out").captions == str(captions)

    def test_options_that_would_do_nothing(self, source: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        with pytest.raises(InputError, match="by the objective caption alone"):
            build_from_files(source, tmp_path / "images", out, captions=tmp_path / "captions.json")
        with pytest.raises(InputError, match="give --mix too"):
            build_from_files(source, tmp_path / "images", out, mix_ratio=0.3)
        assert not out.exists()

    def test_relative_paths_become_absolute(
        self, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        manifest = build_from_files(Path("instances.json"), Path("images"), Path("out"))
        assert (manifest.annotations, manifest.images) == (str(source), str(tmp_path / "images"))

    def test_out_with_something_else_is_refused_before_the_work(self, tmp_path: Path) -> None:
        (tmp_path / "precious.txt").touch()
        with pytest.raises(InputError, match="new or empty folder"):
            build_from_files(tmp_path / "none.json", tmp_path, tmp_path)

    def test_no_instruction_at_all(self, source: Path, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="gives no instruction for spatial"):
            build_from_files(source, tmp_path / "images", tmp_path / "out", objectives=["spatial"])
        assert not (tmp_path / "out").exists()

    def test_without_looking_at_the_pictures(self, source: Path, tmp_path: Path) -> None:
        manifest = build_from_files(source, None, tmp_path / "out", look=False)
        assert (manifest.images, manifest.pictures) == ("", 2)
        there = build_from_files(source, tmp_path / "nowhere", tmp_path / "out", look=False)
        assert (there.images, there.pictures) == (str(tmp_path / "nowhere"), 2)
        assert there.data_sha256 == manifest.data_sha256

    def test_pictures_must_be_somewhere_to_be_looked_for(
        self, source: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(InputError, match="give --images or --no-images"):
            build_from_files(source, None, tmp_path / "out")

    @pytest.mark.parametrize("engine", ["local", "ray"])
    def test_engine_workers_and_batches_change_nothing(
        self, engine: Any, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if engine == "ray":
            pytest.importorskip("ray")
        options: Any = {"look": False, "negatives": "adversarial", "per_category": 1}
        one = build_from_files(source, None, tmp_path / "one", **options)
        monkeypatch.setattr(module, "AT_ONCE", 1)
        two = build_from_files(source, None, tmp_path / "two", engine=engine, workers=2, **options)
        assert read_dataset(tmp_path / "one") == read_dataset(tmp_path / "two")
        assert msgspec.structs.replace(one, data_sha256=two.data_sha256) == two

    def test_a_killed_worker_leaves_nothing(
        self, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_make_rows", killed)
        with pytest.raises(InputError, match="ended early: killed"):
            build_from_files(source, None, tmp_path / "out", look=False, workers=2)
        assert not (tmp_path / "out").exists()

    def test_a_build_that_fails_leaves_nothing(
        self, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "AT_ONCE", 1)
        make = module._make_rows
        calls = []

        def dies(plan: Any, images: Any) -> Any:
            calls.append(images)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return make(plan, images)

        monkeypatch.setattr(module, "_make_rows", dies)
        with pytest.raises(KeyboardInterrupt):
            build_from_files(source, None, tmp_path / "out", look=False)
        assert not (tmp_path / "out").exists()
