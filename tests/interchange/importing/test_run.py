import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from locvlm import coordinates
from locvlm.errors import InputError
from locvlm.geometry import Box, Point, coords_of
from locvlm.instructions.base import Conversation, Instruction
from locvlm.instructions.dataset import Manifest, read_dataset
from locvlm.instructions.dataset_writer import write_dataset
from locvlm.interchange.export.base import ExportOptions
from locvlm.interchange.export.run import export
from locvlm.interchange.importing.run import import_file
from tests import families
from tests.media.bad_images import encode

WIDTH, HEIGHT = 100, 50
IVB = coordinates.get("ivb", bins=100)  # exact in a picture of 100 x 50 pixels

texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="()[]{}<>"), max_size=6
).map(str.lstrip)
xs, ys = st.integers(0, WIDTH), st.integers(0, HEIGHT)
points = st.builds(Point, xs, ys)
boxes = st.builds(
    lambda a, b, c, d: Box(min(a, c), min(b, d), max(a, c), max(b, d)), xs, ys, xs, ys
)


@st.composite
def instructions(draw: st.DrawFn) -> Instruction:
    places = tuple(draw(st.lists(boxes | points, max_size=3)))
    asked = draw(st.integers(0, len(places)))
    question = draw(texts) + "".join("{loc}" + draw(texts) for _ in places[:asked])
    answer = draw(texts) + "".join("{loc}" + draw(texts) for _ in places[asked:])
    answer = answer if answer.strip() else "yes"  # an empty one is left out
    kind = "point" if places and isinstance(places[0], Point) else "box"
    if draw(st.booleans()):
        question += " as {repr}"
        kind = draw(st.sampled_from(["box", "point"]))
    return Instruction("mixed", question, answer, places, kind)


conversations = st.lists(st.lists(instructions(), min_size=1, max_size=3), min_size=1, max_size=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("imports")
    for number in range(3):
        Image.new("RGB", (WIDTH, HEIGHT)).save(folder / f"{number}.png")
    return folder


def written(folder: Path, items: list[Conversation]) -> Path:
    manifest = Manifest(
        annotations="/data/a.json",
        annotations_sha256="0" * 64,
        images=str(folder),
        categories=(),
        objectives=("mixed",),
        pictures=len(items),
        counts={},
        drops={},
    )
    shutil.rmtree(folder / "ours", ignore_errors=True)
    write_dataset(folder / "ours", items, manifest=manifest)
    return folder / "ours"


@pytest.mark.parametrize("target", ["llava", "qwen", "swift", "trl"])
@given(said=conversations)
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_out_and_back(target: str, said: list[list[Instruction]], folder: Path) -> None:
    items = [
        Conversation(f"{number}.png", WIDTH, HEIGHT, tuple(turns))
        for number, turns in enumerate(said)
    ]
    out = folder / f"{target}.json"
    export(written(folder, items), target, out, ExportOptions(coordinates=IVB))
    manifest = import_file(out, target, IVB, folder, folder / "back")
    assert [replace(item, source="") for item in read_dataset(folder / "back")] == items
    assert manifest.drops == {}
    assert manifest.counts == {"mixed": sum(map(len, said))}


def test_out_and_back_in_the_frame_of_a_model(tmp_path: Path) -> None:
    """Of a processor that cuts the middle out: its numbers are shares of that."""
    model, processor = families.build("llava")
    for part in (model, processor):
        part.save_pretrained(tmp_path / "model")
    Image.new("RGB", (400, 100)).save(tmp_path / "wide.png")
    box = Box(170, 10, 230, 90)  # of 150 to 250, which the model sees
    item = Instruction("mixed", "Where is it?", "At {loc}.", (box,))
    ours = written(tmp_path, [Conversation("wide.png", 400, 100, (item,))])
    format, name = coordinates.get("ivb", bins=100), str(tmp_path / "model")
    options = ExportOptions(coordinates=format, model=name)
    export(ours, "llava", tmp_path / "out.json", options)
    assert "(20,10,80,90)" in (tmp_path / "out.json").read_text()
    manifest = import_file(
        tmp_path / "out.json", "llava", format, tmp_path, tmp_path / "back", model=name
    )
    [back] = read_dataset(tmp_path / "back")
    [place] = back.instructions[0].locations
    assert coords_of(place) == pytest.approx(coords_of(box))
    assert (manifest.coordinates or {})["model"] == name


def imported(folder: Path, tmp_path: Path, *records: dict, source: str = "swift") -> Manifest:
    file = tmp_path / "in.jsonl"
    file.write_text("\n".join(map(json.dumps, records)))
    return import_file(file, source, IVB, folder, tmp_path / "out")


def record(question: str = "Where?", answer: str = "At (10,20)", image: str = "0.png") -> dict:
    said = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"messages": said, "images": [image]}


def test_the_manifest_says_where_it_comes_from(folder: Path, tmp_path: Path) -> None:
    manifest = imported(
        folder, tmp_path, record(), record(answer="(1,2,3,4)"), record(image="1.png")
    )
    assert manifest.reader == "swift"
    assert manifest.coordinates == {"format": "ivb", "options": {"bins": 100}}
    assert (manifest.pictures, manifest.location, manifest.objectives) == (2, "both", ("mixed",))
    assert imported(folder, tmp_path, record()).location == "point"
    assert imported(folder, tmp_path, record(answer="no")).location == "box"


def test_what_cannot_be_taken_over_is_counted(folder: Path, tmp_path: Path) -> None:
    manifest = imported(
        folder,
        tmp_path,
        record(),
        record(image="missing.png"),
        record(image="../0.png"),
        record() | {"images": []},
        record() | {"images": ["0.png", "1.png"]},
        record() | {"objects": {"bbox": [[1, 2]]}},
        record(question="{loc}?"),
        {"messages": [{"role": "user", "content": "Well?"}], "images": ["0.png"]},
        {
            "messages": [{"role": "system", "content": ""}, *record()["messages"]],
            "images": ["0.png"],
        },
        record(answer="(300,0) (1,2,3)"),
    )
    assert manifest.drops == {
        "records whose picture's file is missing": 1,
        "records whose picture is not in the folder of the pictures": 1,
        "records with no picture": 1,
        "records with several pictures": 1,
        "records whose objects do not fit their text": 1,
        "questions with a {loc} or {repr} of their own": 1,
        "records without a question and its answer": 2,
        "messages that are no question with its answer": 2,
        "locations clipped to the picture": 1,
        "groups of numbers that are no ivb location, kept as text": 1,
    }
    assert manifest.counts == {"mixed": 3}
    first = manifest.examples["records whose picture's file is missing"]
    assert first == "line 2, missing.png"


def test_an_empty_answer_teaches_nothing(folder: Path, tmp_path: Path) -> None:
    manifest = imported(folder, tmp_path, record(), record(answer=" \n"))
    assert manifest.counts == {"mixed": 1}
    assert manifest.drops == {
        "questions whose answer is empty": 1,
        "records without a question and its answer": 1,
    }


def test_absolute_names_below_the_folder(folder: Path, tmp_path: Path) -> None:
    imported(folder, tmp_path, record(image=str(folder / "0.png")))
    assert read_dataset(tmp_path / "out")[0].image == "0.png"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is empty"),
        (
            json.dumps(record(image="missing.png")),
            r"file is missing: 1 \(the first: .*missing\.png",
        ),
        (json.dumps({"conversations": [], "image": "0.png"}), "without a question and its answer"),
        ("{}", "line 1: not a record with text"),
        ("[1]", "line 1: not a JSON record"),
    ],
)
def test_bad_input_is_one_line(text: str, problem: str, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text(text)
    with pytest.raises(InputError, match=problem) as caught:
        import_file(tmp_path / "in.json", "swift", IVB, folder, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_not_there(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        import_file(tmp_path / "none", "trl", IVB, folder, tmp_path / "out")


def test_the_wrong_format_is_told(folder: Path, tmp_path: Path) -> None:
    row = {"image": "0.png", "prompt": "<image>Where (1,2,3)?", "completion": "(1,2,3,4,5)"}
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join([json.dumps(row)] * 3))
    with pytest.raises(InputError, match="none of its 6 groups .* in ivb; give the --format"):
        import_file(path, "trl", IVB, folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_formats_own_words_are_no_broken_location(folder: Path, tmp_path: Path) -> None:
    qwen = coordinates.get("qwen2.5-vl")
    words = qwen.repr_of("box")
    row = {"image": "0.png", "prompt": f"<image>Where, as {words}?", "completion": "(no)"}
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps(row))
    manifest = import_file(path, "trl", qwen, folder, tmp_path / "out")
    assert manifest.drops == {}
    [conversation] = read_dataset(tmp_path / "out")
    assert conversation.instructions[0].question == "Where, as {repr}?"


@pytest.mark.parametrize(
    "image",
    [
        {"type": "image", "image": "file://0.png"},
        {"type": "image_url", "image_url": {"url": "0.png"}},
        {"type": "input_image", "image_url": "0.png"},
    ],
)
def test_messages_of_parts(image: dict, folder: Path, tmp_path: Path) -> None:
    said = record()["messages"]
    said[0]["content"] = [image, {"type": "input_text", "text": "Where?"}]
    imported(folder, tmp_path, {"messages": said})
    [conversation] = read_dataset(tmp_path / "out")
    assert conversation.image == "0.png"
    assert conversation.instructions[0].question == "Where?"


@pytest.mark.parametrize("content", [None, {"bbox_2d": [1, 2, 3, 4]}, [{"type": "image"}]])
def test_messages_without_text_are_counted(content: object, folder: Path, tmp_path: Path) -> None:
    call = {"function": {"name": "zoom", "arguments": '{"bbox_2d": [1, 2, 3, 4]}'}}
    odd = record()
    odd["messages"][1] |= {"content": content, "tool_calls": [call]}
    manifest = imported(folder, tmp_path, record(), odd)
    assert manifest.counts == {"mixed": 1}
    assert manifest.drops["messages without text, such as calls of tools"] == 1


def test_a_picture_that_cannot_be_used_is_one_picture(tmp_path: Path) -> None:
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "good.png")
    Image.new("RGB", (1, 400)).save(tmp_path / "narrow.png")
    (tmp_path / "bad.png").write_bytes(b"")
    (tmp_path / "cut.png").write_bytes(encode("JPEG")[:-500])
    turns = [{"from": "human", "value": "<image>\n?"}, {"from": "gpt", "value": "[1,2,3,4]"}]
    names = ("bad", "good", "narrow", "cut")
    rows = [{"image": f"{name}.png", "conversations": turns} for name in names]
    (tmp_path / "in.json").write_text(json.dumps(rows))
    seen = coordinates.get("qwen2.5-vl")
    manifest = import_file(tmp_path / "in.json", "llava", seen, tmp_path, tmp_path / "out")
    assert [item.image for item in read_dataset(tmp_path / "out")] == ["good.png"]
    assert manifest.drops["records whose picture cannot be used"] == 3
    assert "truncated" in manifest.unusable_images["cut.png"]
    assert "the file is empty" in manifest.unusable_images["bad.png"]
    assert "too narrow" in manifest.unusable_images["narrow.png"]
    (tmp_path / "in.json").write_text(json.dumps(rows[:1]))
    with pytest.raises(InputError, match=r"gives no instruction .*bad\.png: not a readable pict"):
        import_file(tmp_path / "in.json", "llava", seen, tmp_path, tmp_path / "none")


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("internvl", "<ref>two cats</ref><box>[[100, 100, 300, 300], [500, 100, 700, 300]]</box>"),
        ("deepseek-vl2", "<|ref|>a<|/ref|><|det|>[[100, 100, 300, 300], [1, 2, 30, 40]]<|/det|>"),
        (
            "kosmos-2",
            "<phrase>a</phrase><object><patch_index_0044><patch_index_0863>"
            "</delimiter_of_multi_objects/><patch_index_0001><patch_index_0863></object>",
        ),
        (
            "qwen2-vl",
            "<|object_ref_start|>a<|object_ref_end|><|box_start|>(100,200),(300,400)<|box_end|>"
            "<|box_start|>(500,600),(700,800)<|box_end|>",
        ),
        (
            "paligemma",
            "<loc0256><loc0256><loc0512><loc0512> a ; <loc0010><loc0010><loc0512><loc0512> b",
        ),
        ("qwen-vl", "<ref>a</ref><box>(100,200),(300,400)</box><box>(5,6),(700,800)</box>"),
        ("florence-2", "a<loc_100><loc_100><loc_300><loc_300><loc_1><loc_2><loc_30><loc_40>"),
        ("qwen3-vl", '{"bbox_2d": [[100, 200, 300, 400], [5, 6, 70, 80]], "label": "a"}'),
        ("molmo", '<points x1="10.5" y1="20.0" x2="30.0" y2="40.0" alt="cats">cats</points>'),
    ],
)
@pytest.mark.parametrize("target", ["llava", "qwen", "trl"])
def test_several_of_one_name_come_back(name: str, answer: str, target: str, tmp_path: Path) -> None:
    Image.new("RGB", (1000, 1000)).save(tmp_path / "a.png")
    turns = [{"from": "human", "value": "<image>\n?"}, {"from": "gpt", "value": answer}]
    (tmp_path / "in.json").write_text(json.dumps([{"image": "a.png", "conversations": turns}]))
    spoken = coordinates.get(name)
    import_file(tmp_path / "in.json", "llava", spoken, tmp_path, tmp_path / "data")
    out = tmp_path / "out.jsonl"
    export(tmp_path / "data", target, out, ExportOptions(coordinates=spoken))
    [said] = map(json.loads, out.read_text().splitlines())
    assert json.dumps(answer)[1:-1] in json.dumps(said)


def test_records_of_several_pictures_are_refused_with_a_way(folder: Path, tmp_path: Path) -> None:
    two = record() | {"images": ["0.png", "1.png"], "objects": {"bbox": [[1, 2, 3, 4]]}}
    with pytest.raises(InputError, match=r"pictures: 1 \(the first: line 1\)\); write a record"):
        imported(folder, tmp_path, two)


@pytest.mark.parametrize("absolute", [False, True])
def test_the_folder_may_be_given_with_dots(
    folder: Path, tmp_path: Path, absolute: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = tmp_path / "work"
    beside.mkdir()
    monkeypatch.chdir(beside)
    given = Path(os.path.relpath(folder, beside))
    assert ".." in given.parts
    name = str(folder / "0.png") if absolute else "0.png"
    manifest = imported(given, tmp_path, record(image=name))
    assert (manifest.pictures, manifest.drops) == (1, {})
