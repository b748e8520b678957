import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from PIL import Image

from locvlm import coordinates
from locvlm.coordinates import CoordinateError
from locvlm.coordinates.nfp import NFP
from locvlm.errors import InputError
from locvlm.geometry import Box, Frame, Location, Point, Size
from locvlm.instructions.base import Conversation, Instruction
from locvlm.instructions.dataset import read_dataset
from locvlm.interchange import export as targets
from locvlm.interchange.export.base import ExportOptions
from locvlm.interchange.export.run import export
from tests import families
from tests.media.bad_images import encode

Make = Callable[[list[Conversation]], Path]
NONE = Instruction("negpred", "Where is the cat?", "Nowhere")
WHERE = "Where, as (x1,y1,x2,y2) bbox?"


def test_llava(data: Path, tmp_path: Path) -> None:
    report = export(data, "llava", tmp_path / "out.json")
    assert (report.images, report.questions, report.drops) == (2, 4, {})
    assert report.coordinates == coordinates.get("ivb", bins=224)
    first, second = json.loads((tmp_path / "out.json").read_text())
    assert first == {
        "id": "0",
        "image": "a.png",
        "width": 512,
        "height": 512,
        "conversations": [
            {"from": "human", "value": f"<image>\n{WHERE}"},
            {"from": "gpt", "value": "At (4,52,13,63)"},
            {"from": "human", "value": "What is at (9,58)?"},
            {"from": "gpt", "value": "A dog."},
            {"from": "human", "value": "Where is the cat?"},
            {"from": "gpt", "value": "Nowhere"},
        ],
    }
    assert second["image"] == "deep/b.png"


def test_qwen_as_lines_and_as_an_array(data: Path, tmp_path: Path) -> None:
    export(data, "qwen", tmp_path / "out.json")
    export(data, "qwen", tmp_path / "out.jsonl")
    array = json.loads((tmp_path / "out.json").read_text())
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert array == lines
    assert array[0].keys() == {"image", "width", "height", "conversations"}


def test_swift_keeps_numbers(data: Path, tmp_path: Path) -> None:
    export(data, "swift", tmp_path / "out.jsonl", ExportOptions(coordinates=coordinates.get("nfp")))
    first, second = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert [message["content"] for message in first["messages"]] == [
        f"<image>{WHERE}",
        "At <bbox>",
        "What is at <bbox>?",
        "A dog.",
        "Where is the cat?",
        "Nowhere",
    ]
    assert first["objects"] == {"ref": [], "bbox": [[10, 120, 30, 145], [20, 132.5]]}
    assert first["images"] == [str(data.parent / "images" / "a.png")]
    assert "objects" not in second


def test_trl_has_a_row_per_question(data: Path, tmp_path: Path) -> None:
    export(data, "trl", tmp_path / "out.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert len(rows) == 4
    assert rows[0] == {
        "prompt": [
            {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": WHERE}]}
        ],
        "completion": [
            {"role": "assistant", "content": [{"type": "text", "text": "At (4,52,13,63)"}]}
        ],
        "images": [str(data.parent / "images" / "a.png")],
        "width": 512,
        "height": 512,
    }


@pytest.mark.parametrize("target", ["trl", "parquet"])
def test_with_images(target: str, data: Path, tmp_path: Path) -> None:
    export(data, target, tmp_path / "out.parquet", ExportOptions(with_images=True))
    row = pq.read_table(tmp_path / "out.parquet").to_pylist()[0]
    [picture] = row["images"] if target == "trl" else [row["image"]]
    assert picture["bytes"] == (data.parent / "images" / "a.png").read_bytes()
    assert picture["path"] == "a.png"


def test_parquet_without_images_has_their_paths(data: Path, tmp_path: Path) -> None:
    export(data, "parquet", tmp_path / "out.parquet")
    row = pq.read_table(tmp_path / "out.parquet").to_pylist()[0]
    assert row["image"] == {"bytes": None, "path": str(data.parent / "images" / "a.png")}
    assert row["instructions"][0]["locations"] == [[10, 120, 30, 145]]


def unpacked(folder: Path) -> dict[str, list[tuple[str, bytes]]]:
    shards = {}
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as tar:
            shards[path.name] = [(m.name, tar.extractfile(m).read()) for m in tar.getmembers()]
    return shards


def test_webdataset(data: Path, tmp_path: Path) -> None:
    export(data, "webdataset", tmp_path / "out")
    [(name, files)] = unpacked(tmp_path / "out").items()
    assert name == "000000.tar"
    assert [name for name, _ in files] == [
        f"00000000{n}.{kind}" for n in (0, 1) for kind in ("png", "json")
    ]
    assert files[0][1] == (data.parent / "images" / "a.png").read_bytes()
    assert json.loads(files[1][1])["conversations"][1]["value"] == "At (4,52,13,63)"


def test_webdataset_shards_stay_below_their_size(make: Make, tmp_path: Path) -> None:
    items = [Conversation(f"{n}.png", 600, 600, (NONE,)) for n in range(5)]
    data = make(items)
    for path in (tmp_path / "images").iterdir():  # what follows the picture's end is ignored
        path.write_bytes(path.read_bytes() + bytes(400_000))
    with (tmp_path / "images" / "3.png").open("ab") as file:
        file.write(bytes(1_500_000))  # larger than a shard
    export(data, "webdataset", tmp_path / "out", ExportOptions(shard_size=1))
    shards = unpacked(tmp_path / "out")
    kept = {name: [file[:9] for file, _ in files[::2]] for name, files in shards.items()}
    assert list(map(len, kept.values())) == [2, 1, 1, 1]
    assert list(kept) == ["000000.tar", "000001.tar", "000002.tar", "000003.tar"]
    sizes = [path.stat().st_size for path in sorted((tmp_path / "out").glob("*.tar"))]
    assert [size <= 1_000_000 for size in sizes] == [True, True, False, True]


def test_webdataset_needs_a_new_folder_and_a_size(data: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match="at least 1"):
        export(data, "webdataset", tmp_path / "out", ExportOptions(shard_size=0))
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(InputError, match="new or empty folder"):
        export(data, "webdataset", tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"out", "data", "images"}


# Frames and formats


class BoxesOfASquare(NFP):
    """Shares of a square that the picture is centred in; no points."""

    name = "square"

    def frame(self, size: Size) -> Frame:
        return Frame.pad_to_square(size, 100)

    def encode(self, location: Location, frame: Frame | Size) -> str:
        if isinstance(location, Point):
            raise CoordinateError("square: has boxes only")
        return super().encode(location, frame)


def answer(out: Path) -> Any:
    return json.loads(out.read_text())[0]["conversations"][1]["value"]


def test_the_frame_is_the_formats_own(make: Make, tmp_path: Path) -> None:
    everything = Instruction("locpred", "?", "{loc}", (Box(0, 0, 400, 200),))
    data = make([Conversation("a.png", 400, 200, (everything,))])
    export(data, "llava", tmp_path / "out.json", ExportOptions(coordinates=BoxesOfASquare()))
    assert answer(tmp_path / "out.json") == "(0.0000,0.2500,1.0000,0.7500)"
    export(data, "llava", tmp_path / "out.json", ExportOptions(coordinates=coordinates.get("nfp")))
    assert answer(tmp_path / "out.json") == "(0.0000,0.0000,1.0000,1.0000)"


def test_the_frame_is_the_models(make: Make, tmp_path: Path, small_base: Path) -> None:
    """Its processor stretches pictures to 56 x 56 and has no format: ivb with 56 bins."""
    part = Instruction("locpred", "?", "{loc}", (Box(0, 100, 200, 200),))
    data = make([Conversation("a.png", 400, 200, (part,))])
    report = export(data, "llava", tmp_path / "out.json", ExportOptions(model=str(small_base)))
    assert answer(tmp_path / "out.json") == "(0,28,28,56)"
    assert report.coordinates.options == {"bins": 56}
    export(
        data,
        "llava",
        tmp_path / "out.json",
        ExportOptions(coordinates=BoxesOfASquare(), model=str(small_base)),
    )
    assert answer(tmp_path / "out.json") == "(0.0000,0.5000,0.5000,1.0000)"


# What is left out


def test_a_location_that_the_format_cannot_write(data: Path, tmp_path: Path) -> None:
    report = export(
        data, "llava", tmp_path / "out.json", ExportOptions(coordinates=BoxesOfASquare())
    )
    assert report.questions == 3
    assert report.drops == {"questions with a location that square cannot write": 1}


def test_clipped_locations_are_counted(make: Make, tmp_path: Path) -> None:
    outside = Instruction("locpred", "?", "{loc}", (Box(0, 0, 400, 200),))
    data = make([Conversation("a.png", 100, 100, (outside,))])
    report = export(data, "llava", tmp_path / "out.json")
    assert report.drops == {"locations clipped to what the model sees": 1}


@pytest.mark.parametrize("target", targets.names())
def test_a_text_that_the_target_would_misread(target: str, make: Make, tmp_path: Path) -> None:
    mark = Instruction("caption", "An <image>?", "A <bbox>.")
    data = make([Conversation("a.png", 9, 9, (mark, NONE, NONE))])
    report = export(data, target, tmp_path / "out")
    assert sum(report.drops.values()) == (0 if target == "parquet" else 1)
    assert report.questions == 3 - sum(report.drops.values())


@pytest.mark.parametrize("target", targets.names())
@pytest.mark.parametrize("with_drops", [True, False])
def test_nothing_to_export_writes_nothing(
    target: str, with_drops: bool, make: Make, tmp_path: Path
) -> None:
    mark = Instruction("caption", "An <image>?", "")
    items = [Conversation("a.png", 9, 9, (mark,))] if with_drops and target != "parquet" else []
    data = make(items)
    before = set(tmp_path.iterdir())
    with pytest.raises(InputError, match="nothing to export is left"):
        export(data, target, tmp_path / "out")
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("target", targets.names())
def test_a_picture_that_is_gone(target: str, data: Path, tmp_path: Path) -> None:
    (tmp_path / "images" / "deep" / "b.png").unlink()
    report = export(data, target, tmp_path / "out")
    assert (report.images, report.drops) == (1, {"pictures that are gone": 1})
    assert "b.png: no such file" in report.unusable["deep/b.png"]
    (tmp_path / "images" / "a.png").unlink()
    with pytest.raises(InputError, match=r"nothing to export is left: .*a\.png: no such file"):
        export(data, target, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_wrong_words(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown target 'none'; known: llava"):
        export(data, "none", tmp_path / "out")
    with pytest.raises(InputError, match="--with-images goes with"):
        export(data, "llava", tmp_path / "out", ExportOptions(with_images=True))
    with pytest.raises(InputError, match="no data set here"):
        export(tmp_path, "llava", tmp_path / "out")


def test_the_data_set_stays(data: Path, tmp_path: Path) -> None:
    before = read_dataset(data)
    for target in targets.names():
        export(data, target, tmp_path / target)
    assert read_dataset(data) == before


def test_pictures_that_do_not_fit_are_left_out(data: Path, tmp_path: Path) -> None:
    Image.new("RGB", (512, 511)).save(tmp_path / "images" / "a.png")
    report = export(data, "llava", tmp_path / "out.json")
    assert report.drops == {"pictures of another size than annotated": 1}
    assert "a.png: is 512x511 pixels as displayed, annotated as 512x512" in report.unusable["a.png"]
    assert [row["image"] for row in json.loads((tmp_path / "out.json").read_text())] == [
        "deep/b.png"
    ]
    (tmp_path / "images" / "a.png").write_bytes(b"no picture")
    report = export(data, "trl", tmp_path / "out.jsonl")
    assert report.drops == {"pictures that cannot be read": 1}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("target", ["trl", "webdataset"])
def test_a_cut_picture_is_left_out(kind: str, target: str, data: Path, tmp_path: Path) -> None:
    whole = encode(kind, (512, 512))
    (tmp_path / "images" / "a.png").write_bytes(whole)
    assert export(data, target, tmp_path / "whole").images == 2
    (tmp_path / "images" / "a.png").write_bytes(whole[: len(whole) // 2])
    report = export(data, target, tmp_path / "out")
    assert (report.images, report.drops) == (1, {"pictures that cannot be read": 1})
    assert "a.png: not a readable picture" in report.unusable["a.png"]


def test_the_name_of_standard_output_is_no_file(data: Path) -> None:
    with pytest.raises(InputError, match="export writes a file; give its name"):
        export(data, "llava", Path("-"))


def test_no_trainer_gets_data_for_a_template_without_images(
    data: Path, small_base: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(small_base, tmp_path / "model"))
    (folder / "chat_template.jinja").write_text(
        "{% for message in messages %}{% for part in message['content'] %}{{ part['text'] }}"
        "{% endfor %}<|im_end|>{% endfor %}"
    )
    with pytest.raises(InputError, match="writes nothing for an image"):
        export(data, "llava", tmp_path / "out.json", ExportOptions(model=str(folder)))


def test_pictures_that_the_models_of_a_format_do_not_take(make: Make, tmp_path: Path) -> None:
    narrow = Instruction("locpred", "Where?", "At {loc}", (Box(0, 120, 1, 145),))
    about = ("a.png", 64, 64, narrow), ("narrow.png", 1, 400, narrow)
    data = make([Conversation(*facts, (item,)) for *facts, item in about])
    seen = ExportOptions(coordinates=coordinates.get("qwen2.5-vl"))
    report = export(data, "qwen", tmp_path / "out", seen)
    assert report.images == 1
    assert "narrow.png: a picture of 1 x 400 pixels is too narrow" in report.unusable["narrow.png"]


@pytest.mark.parametrize("target", targets.names())
def test_what_the_model_does_not_see_is_left_out(target: str, make: Make, tmp_path: Path) -> None:
    """Of a picture of 120 x 60 a LLaVA-1.5 sees x from 30 to 90."""
    for part in families.build("llava"):
        part.save_pretrained(tmp_path / "llava")
    cut, outside = (
        Instruction("revloc", "What is at {loc}?", "A dog.", (Box(x, 10, 50, 30),)) for x in (20, 2)
    )
    items = [(cut, outside, NONE), (outside,)]
    data = make([Conversation(f"{n}.png", 120, 60, each) for n, each in enumerate(items)])
    out = tmp_path / "out"
    report = export(data, target, out, ExportOptions(model=str(tmp_path / "llava")))
    assert (report.images, report.questions) == (1, 2)
    words = "questions about what lies outside of what the model sees"
    assert report.drops[words] == 2
    assert report.drops["pictures that have no question left"] == 1
    assert report.drops["locations clipped to what the model sees"] == report.as_text
    assert report.unseen[0].startswith(f"left out, {words}: 2 of 4 (revloc 2) about pictures ")
    whole = export(data, target, tmp_path / "whole")  # without a model nothing is known of any
    assert whole.questions == 4 and not whole.unseen


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("to", ["parquet", "webdataset", "llava"])
def test_images_outside_of_their_folder_are_left_out(
    make: Make, tmp_path: Path, to: str, absolute: bool
) -> None:
    secret = str(tmp_path / "secret" / "x.png") if absolute else "../secret/x.png"
    data = make([Conversation("a.png", 8, 8, (NONE,)), Conversation(secret, 8, 8, (NONE,))])
    assert (tmp_path / "secret" / "x.png").exists()
    options = ExportOptions(with_images=to == "parquet")
    out = tmp_path / {"parquet": "out.parquet", "webdataset": "out.tar", "llava": "out.json"}[to]
    report = export(data, to, out, options=options)
    assert report.images == 1
    assert report.drops == {"pictures that are not in the folder of the pictures": 1}
    assert "leads out of" in report.unusable[secret]
