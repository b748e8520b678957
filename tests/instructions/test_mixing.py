"""Other instruction data beside what is built: how much, which rows, what is left out."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from locvlm.errors import InputError
from locvlm.geometry import Box
from locvlm.instructions.base import Instruction
from locvlm.instructions.build_files import BuildOptions, build_from_files
from locvlm.instructions.dataset import read_dataset
from locvlm.instructions.mixing import count_to_mix, read_mixed
from tests.media.bad_images import encode

SIZES = {"a.jpg": (40, 30)}


def row(*texts: str, image: str | None = "a.jpg") -> dict[str, Any]:
    roles = ["human", "gpt"] * len(texts)
    said = [{"from": role, "value": text} for role, text in zip(roles, texts, strict=False)]
    return {"id": "1", "conversations": said, **({"image": image} if image else {})}


def mix(tmp_path: Path, rows: Any, count: int = 1, seed: int = 0) -> tuple[list, dict[str, int]]:
    path = tmp_path / "mix.json"
    path.write_text(json.dumps(rows))
    drops: Counter[str] = Counter()
    made = read_mixed(path, count, sizes=SIZES, images=tmp_path, seed=seed, drops=drops)
    return made, dict(+drops)


@pytest.mark.parametrize(
    ("built", "ratio", "expected"), [(0, 0.5, 0), (10, 0.5, 10), (70, 0.3, 30), (99, 0.01, 1)]
)
def test_share(built: int, ratio: float, expected: int) -> None:
    assert count_to_mix(built, ratio) == expected


@pytest.mark.parametrize("text", ["", "[]", "\n"])
def test_empty_file(text: str, tmp_path: Path) -> None:
    (tmp_path / "mix.json").write_text(text)
    drops: Counter[str] = Counter()
    assert read_mixed(tmp_path / "mix.json", 2, sizes={}, images=None, seed=0, drops=drops) == []
    assert drops == {"mixed conversations that the file has too few of": 2}


def test_json_lines(tmp_path: Path) -> None:
    (tmp_path / "mix.jsonl").write_text(f"{json.dumps(row('Hello', 'Hi'))}\n" * 3)
    made = read_mixed(tmp_path / "mix.jsonl", 2, sizes=SIZES, images=None, seed=0, drops=Counter())
    assert [item.instructions for item in made] == [(Instruction("mixed", "Hello", "Hi"),)] * 2


def test_a_row(tmp_path: Path) -> None:
    ((made,), drops) = mix(tmp_path, [row("<image>\nWhat?", "A dog.", "Why?\n<image>", "So {x}.")])
    assert (made.image, made.width, made.height) == ("a.jpg", 40, 30)
    assert made.instructions == (
        Instruction("mixed", "What?", "A dog."),
        Instruction("mixed", "Why?", "So {x}."),
    )
    assert drops == {"follow-up questions mixed in without what came before": 1}


@pytest.mark.parametrize(
    ("unusable", "reason"),
    [
        (row("Hello", "Hi", image=None), "mixed rows without a picture"),
        (row("Hello", "Hi") | {"image": ["a.jpg", "b.jpg"]}, "mixed rows with several pictures"),
        (row("Hello"), "mixed rows that are not question and answer in turn"),
        (row(), "mixed rows that are not question and answer in turn"),
        (row("<image>", "Hi"), "mixed rows with an empty text"),
        (
            row("At {loc}?", "Hi"),
            "mixed rows whose text has {loc} or {repr}, which would be filled",
        ),
        (row("Hello", "Hi", image="b.jpg"), "mixed rows whose picture cannot be read"),
    ],
)
def test_what_cannot_be_used_is_counted(tmp_path: Path, unusable: Any, reason: str) -> None:
    made, drops = mix(tmp_path, [unusable, row("Hello", "Hi")], 2)
    assert len(made) == 1
    assert drops == {reason: 1, "mixed conversations that the file has too few of": 1}


def test_size_of_a_picture_that_lies_on_its_side(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (20, 10)).save(tmp_path / "b.jpg", exif=exif)
    ((made,), _) = mix(tmp_path, [row("Hello", "Hi", image="b.jpg")])
    assert (made.width, made.height) == (10, 20)


def test_drawn_by_seed(tmp_path: Path) -> None:
    rows = [row(f"Question {i}", "Hi") for i in range(50)]
    assert mix(tmp_path, rows, 5) == mix(tmp_path, rows, 5)
    assert mix(tmp_path, rows, 5) != mix(tmp_path, rows, 5, seed=1)


@pytest.mark.parametrize("text", ["{}", '[\n{"image": "a.jpg"}]', "[", "[1]", "\xff"])
def test_other_form(tmp_path: Path, text: str) -> None:
    (tmp_path / "mix.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"mix.json, line \d: not a "):
        read_mixed(tmp_path / "mix.json", 1, sizes={}, images=None, seed=0, drops=Counter())


class TestBuild:
    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        path = tmp_path / "instances.json"
        sizes = {"width": 100, "height": 100}
        boxes = [{"id": i, "image_id": i, "category_id": 1, "bbox": [1, 1, 9, 9]} for i in range(7)]
        tree = {
            "images": [{"id": i, "file_name": f"{i}.jpg", **sizes} for i in range(7)],
            "annotations": boxes,
            "categories": [{"id": 1, "name": "dog"}],
        }
        path.write_text(json.dumps(tree))
        rows = [row(f"Question {i}", "Hi", image="3.jpg") for i in range(20)]
        (tmp_path / "mix.json").write_text(json.dumps(rows))
        return path

    def test_share(self, source: Path, tmp_path: Path) -> None:
        mix = tmp_path / "mix.json"
        made = build_from_files(
            source, None, tmp_path / "out", BuildOptions(find_images=False, mix=mix, mix_ratio=0.3)
        )
        rows = read_dataset(tmp_path / "out")
        assert made.pictures == len(rows) == 10
        assert [item.source for item in rows[7:]] == ["mix.json"] * 3
        assert made.counts["mixed"] == 3
        assert (made.mix, made.mix_ratio) == (str(mix), 0.3)

    def test_faces_are_blurred_there_too(
        self, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("locvlm.instructions.build_files.check_opencv", lambda: None)
        monkeypatch.setattr("locvlm.instructions.faces.check_opencv", lambda: None)
        face = Box(0, 0, 50, 50)
        monkeypatch.setattr("locvlm.instructions.faces.find_faces", lambda _: [face])
        folder = tmp_path / "photos"
        folder.mkdir()
        for name in (*(f"{number}.jpg" for number in range(7)), "other.png"):
            Image.new("RGB", (100, 100)).save(folder / name)
        rows = [row("What?", "A dog.", image="other.png")]
        (tmp_path / "mix.json").write_text(json.dumps(rows))
        options = BuildOptions(mix=tmp_path / "mix.json", mix_ratio=0.1, blur_faces=True)
        made = build_from_files(source, folder, tmp_path / "out", options)
        assert (made.faces_blurred, made.pictures_with_faces) == (8, 8)
        assert (tmp_path / "out/images/other.png").is_file()
        assert made.clip_faces_blurred is None

    @pytest.mark.parametrize("ratio", [0.0, 1.0, float("nan")])
    def test_no_share(self, source: Path, tmp_path: Path, ratio: float) -> None:
        with pytest.raises(InputError, match="mix_ratio is a share"):
            build_from_files(
                source,
                None,
                tmp_path / "out",
                BuildOptions(find_images=False, mix=tmp_path / "mix.json", mix_ratio=ratio),
            )


def test_what_is_broken_behind_a_header_is_found_where_pixels_are_checked(tmp_path: Path) -> None:
    (tmp_path / "cut.jpg").write_bytes(encode("JPEG")[:-20])
    (tmp_path / "good.jpg").write_bytes(encode("JPEG"))
    rows = [row("Hello", "Hi", image=name) for name in ("cut.jpg", "good.jpg")]
    (tmp_path / "mix.json").write_text(json.dumps(rows))
    for pixels, names in ((False, {"cut.jpg", "good.jpg"}), (True, {"good.jpg"})):
        drops: Counter[str] = Counter()
        more = {"sizes": {}, "images": tmp_path, "seed": 0, "drops": drops, "pixels": pixels}
        made = read_mixed(tmp_path / "mix.json", 2, **more)
        assert {item.image for item in made} == names
        assert drops["mixed rows whose picture cannot be read"] == pixels


def test_a_row_about_a_clip(tmp_path: Path) -> None:
    pytest.importorskip("av")
    from tests.clip_files import write_clip

    write_clip(tmp_path / "a.mp4", count=3, turned=90)
    (tmp_path / "b.mp4").write_bytes(b"no clip")
    rows = []
    for name in ("a.mp4", "b.mp4"):
        rows.append(row("<video>\nWhat is it?", "A clip.", image=name))
        rows[-1]["video"] = rows[-1].pop("image")
    (tmp_path / "mix.json").write_text(json.dumps(rows))
    for pixels in (False, True):
        drops: Counter[str] = Counter()
        more = {"sizes": {}, "images": tmp_path, "seed": 0, "drops": drops, "pixels": pixels}
        [made] = read_mixed(tmp_path / "mix.json", 2, **more)
        assert (made.image, made.width, made.height) == ("a.mp4", 48, 64)
        assert made.instructions[0].question == "What is it?"
        assert drops["mixed rows whose picture cannot be read"] == 1
