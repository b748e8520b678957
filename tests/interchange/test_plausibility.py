"""Numbers that nearly all reach out of their pictures are in another format."""

import json
from pathlib import Path

import pytest
from PIL import Image

from locvlm import coordinates
from locvlm.errors import InputError
from locvlm.instructions.dataset import read_dataset
from locvlm.interchange.convert import convert
from locvlm.interchange.importing.run import import_file

PIXELS = "[1541, 937, 1920, 1080]"


def row(answer: object) -> dict:
    said = [{"from": "human", "value": "<image>\nWhere?"}, {"from": "gpt", "value": answer}]
    return {"image": "a.jpg", "width": 1920, "height": 1080, "conversations": said}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Image.new("RGB", (1920, 1080)).save(tmp_path / "a.jpg")
    return tmp_path


def write(folder: Path, *answers: object) -> Path:
    path = folder / "in.jsonl"
    path.write_text("\n".join(json.dumps(row(answer)) for answer in answers))
    return path


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("ferret", PIXELS),
        ("qwen3-vl", f'{{"bbox_2d": {PIXELS}}}'),
        ("qwen2-vl", "<|box_start|>(1541,937),(1920,1080)<|box_end|>"),
        ("qwen2-vl", "<|box_start|>(1541,937),(1920,1080)<|box_end|>"),
    ],
)
def test_pixels_are_refused_as_thousandths(name: str, answer: str, folder: Path) -> None:
    path, read = write(folder, *[answer] * 5), coordinates.get(name)
    with pytest.raises(InputError, match=r"5 of 5 locations reach out .* --from pixels"):
        convert(path, folder / "out", read=read, write=coordinates.get("nfp"))
    assert not (folder / "out").exists()
    with pytest.raises(InputError, match=r"5 of 5 locations reach out .* --format pixels"):
        import_file(path, "llava", read, folder, folder / "data")
    import_file(path, "llava", coordinates.get("pixels"), folder, folder / "data")
    [conversation] = read_dataset(folder / "data")
    places = {place for item in conversation.instructions for place in item.locations}
    assert [(p.x1, p.y1, p.x2, p.y2) for p in places] == [(1541, 937, 1920, 1080)]


def test_one_of_many_may_reach_out(folder: Path) -> None:
    path = write(folder, *["[10, 20, 30, 40]"] * 4, PIXELS)
    ferret = coordinates.get("ferret")
    report = convert(path, folder / "out", read=ferret, write=coordinates.get("nfp"))
    assert (report.rewritten, report.clipped) == (5, 1)


def test_pixels_there_and_back(folder: Path) -> None:
    path, pixels = write(folder, PIXELS), coordinates.get("pixels")
    there, back = folder / "there.jsonl", folder / "back.jsonl"
    convert(path, there, read=pixels, write=coordinates.get("qwen3-vl"))
    assert "[803, 868, 1000, 1000]" in there.read_text()
    convert(there, back, read=coordinates.get("qwen3-vl"), write=pixels)
    assert "[1542, 937, 1920, 1080]" in back.read_text()


def test_what_is_not_read_is_said_with_its_place(folder: Path) -> None:
    path = write(folder, "[10, 20, 30, 40]", "[1, 2, 3]", [1, 2, 3, 4])
    ferret = coordinates.get("ferret")
    report = convert(path, folder / "out", read=ferret, write=coordinates.get("nfp"))
    assert (report.rewritten, report.unparsed, report.unread) == (1, 2, "[1, 2, 3]")
    assert report.unread_at.endswith("in.jsonl, line 2")


@pytest.mark.parametrize(
    "record",
    [
        {"query": "<image>Where?", "response": "[10, 20, 30, 40]"},
        {"prefix": "Where?", "suffix": "[10, 20, 30, 40]"},
        {"instruction": "<image>Where?", "input": "", "output": "[10, 20, 30, 40]"},
        {"problem": "Where?", "solution": [10, 20, 30, 40]},
        row([10, 20, 30, 40]),
        {
            "query": "Where?",
            "response": "<bbox>",
            "objects": '[{"caption": "a", "bbox": [19.2, 21.6, 57.6, 43.2], "bbox_type": "real"}]',
        },
        {
            "query": "Where?",
            "response": "<bbox>",
            "objects": '[{"caption": "a", "bbox": [[10, 20, 30, 40]], "bbox_type": "norm_1000"}]',
        },
        {
            "messages": [
                {"role": "user", "content": "Where?"},
                {"role": "assistant", "content": "<bbox>"},
            ],
            "objects": {"bbox": [[19.2, 21.6, 57.6, 21.6, 57.6, 43.2, 19.2, 43.2]]},
        },
    ],
)
def test_rows_in_other_forms(record: dict, folder: Path) -> None:
    path = folder / "in.jsonl"
    path.write_text(json.dumps({"image": "a.jpg"} | record))
    import_file(path, "swift" if "objects" in record else "llava", FERRET, folder, folder / "data")
    [conversation] = read_dataset(folder / "data")
    [item] = conversation.instructions
    assert (item.question, item.answer) == ("Where?", "{loc}")
    [box] = item.locations
    assert (box.x1, box.y1, box.x2, box.y2) == pytest.approx((19.2, 21.6, 57.6, 43.2))


FERRET = coordinates.get("ferret")


def test_a_dialect_of_boxes_alone_is_imported(folder: Path) -> None:
    path = folder / "in.jsonl"
    answer = "<loc0001><loc0002><loc0003><loc0004> a"
    said = {"image": "a.jpg", "prefix": "detect a", "suffix": answer}
    path.write_text(json.dumps(said))
    import_file(path, "llava", coordinates.get("paligemma"), folder, folder / "data")
    [conversation] = read_dataset(folder / "data")
    assert conversation.instructions[0].answer == "{loc} a"


def test_what_cannot_be_proven_is_said(folder: Path) -> None:
    answer = '{"bbox_2d": [10, 20, 300, 983]}'
    path, read = write(folder, answer, answer), coordinates.get("qwen2.5-vl")
    said = "qwen2.5-vl was read with max_pixels=12845056, min_pixels=3136: the largest number is "
    said += "983, where 1092 is the edge; if others hold, say so with "
    report = convert(path, folder / "out", read=read, write=coordinates.get("nfp"))
    assert report.assumed == said + "--from-set max_pixels=N"
    manifest = import_file(path, "llava", read, folder, folder / "data")
    assert manifest.remarks == (said + "--set max_pixels=N",)
    manifest = import_file(path, "llava", coordinates.get("qwen3-vl"), folder, folder / "data")
    assert manifest.remarks == ()


@pytest.mark.parametrize(
    ("name", "options", "answer"),
    [
        ("qwen2.5-vl", {}, '{"bbox_2d": [10, 20, 300, 1500]}'),
        ("ivb", {"bins": 224}, "(10,20,30,400)"),
    ],
)
def test_some_that_reach_out_prove_another_frame(
    name: str, options: dict, answer: str, folder: Path
) -> None:
    inside = answer.replace("1500", "50").replace("400", "50")
    path, read = write(folder, *[inside] * 20, *[answer] * 3), coordinates.get(name, **options)
    with pytest.raises(InputError, match=r"3 of 23 locations reach out .*--set \w+=N"):
        import_file(path, "llava", read, folder, folder / "data")
    import_file(write(folder, *[inside] * 20, answer), "llava", read, folder, folder / "data")


def objects(*boxes: list[float], **more: object) -> dict:
    said = [
        {"role": "user", "content": "<image>Where?"},
        {"role": "assistant", "content": " ".join(["<bbox>"] * len(boxes))},
    ]
    return {"messages": said, "images": ["a.jpg"], "objects": {"bbox": boxes, **more}}


def test_boxes_beside_the_text_that_cannot_be_pixels(folder: Path) -> None:
    path, read = folder / "in.jsonl", coordinates.get("qwen3-vl")
    shares, beyond = [0.1, 0.1, 0.3, 0.3], [100.0, 1200.0, 300.0, 1300.0]
    for boxes, message in (([shares] * 3, "bbox_type.*norm1"), ([beyond] * 3, "in pixels of")):
        path.write_text(json.dumps(objects(*boxes)))
        with pytest.raises(InputError, match=f"3 of 3 locations .*{message}"):
            import_file(path, "swift", read, folder, folder / "data")
    for source in ("swift", "llava"):
        path.write_text(json.dumps(objects(shares, shares, bbox_type="norm1")))
        import_file(path, source, read, folder, folder / "data")
        [conversation] = read_dataset(folder / "data")
        assert conversation.instructions[0].answer == "{loc} {loc}"
    report = convert(path, folder / "out", read=read, write=coordinates.get("nfp"))
    assert (report.rewritten, report.placeholders) == (0, 1)


@pytest.mark.parametrize(
    ("name", "answer", "hint"),
    [
        ("shikra", "[0.2,0.3,1.6,1.3]", r"up to 1\.6, look like shares that reach out"),
        ("nfp", "(0.2,0.3,1.6,1.3)", r"up to 1\.6, look like shares that reach out"),
        ("shikra", "[1.2,0.3,5.6,8.3]", "say how they are written with --from"),
        ("nfp", "(12.0,21.0,56.0,83.0)", "say how they are written with --from"),
        ("shikra", "[120.0,216.0,568.0,830.0]", "--from pixels"),
    ],
)
def test_a_hint_says_nothing_false(name: str, answer: str, hint: str, folder: Path) -> None:
    path, read = write(folder, *[answer] * 4), coordinates.get(name)
    with pytest.raises(InputError, match=f"4 of 4 locations .*{hint}"):
        convert(path, folder / "out", read=read, write=coordinates.get("qwen3-vl"))


def test_no_other_frame_holds_what_is_below_zero(folder: Path) -> None:
    answers = ['{"bbox_2d": [-14, 20, 30, 40]} {"bbox_2d": [1, 2, 3, 4]}'] * 6
    path, read = write(folder, *answers), coordinates.get("qwen2.5-vl")
    report = convert(path, folder / "out", read=read, write=coordinates.get("qwen3-vl"))
    assert (report.rewritten, report.clipped) == (12, 6)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"width": [640], "height": [360]}, True),
        ({"width": 640}, True),
        ({"width": [1920], "height": [1080]}, False),
        ({"width": [640], "height": [360], "bbox_type": "norm1"}, False),
        ({"width": [], "height": None}, False),
    ],
)
def test_objects_of_a_picture_of_another_size(said: dict, told: bool, folder: Path) -> None:
    path = folder / "in.jsonl"
    box = [0.1, 0.1, 0.5, 0.5] if "bbox_type" in said else [10, 20, 300, 400]
    path.write_text(json.dumps(objects(box, **said)))
    read = coordinates.get("qwen3-vl")
    drops = import_file(path, "swift", read, folder, folder / "data").drops
    assert any("another size" in reason for reason in drops) is told
