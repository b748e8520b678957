import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from locvlm import coordinates
from locvlm.coordinates import CoordinateError
from locvlm.coordinates.nfp import NFP
from locvlm.errors import InputError
from locvlm.geometry import Frame, Location, Point, Size
from locvlm.interchange.convert import ConversionReport, Converter, convert
from locvlm.interchange.image_sizes import ImageSizes

# a busy machine is slow, not wrong
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

IVB = coordinates.get("ivb", bins=224)
NFP_ = coordinates.get("nfp")
SIZE = '"width": 512, "height": 512'
LLAVA = (
    '{"id": 1,  "image":"a.jpg", '
    + SIZE
    + r""", "conversations": [{"value":"<image>\nthe \u00e9 at (4,52,13,63)?", "from":"human"},"""
    + '{"from":"gpt","value":"ja, ü, (9,58)"}]}'
)


def run(text: str | bytes, tmp_path: Path, name: str = "in.json", **options: object) -> str:
    """The converted text, from 224 bins to shares."""
    source = tmp_path / name
    source.write_bytes(text.encode() if isinstance(text, str) else text)
    (tmp_path / "out").unlink(missing_ok=True)
    convert(source, tmp_path / "out", **({"read": IVB, "write": NFP_} | options))
    return (tmp_path / "out").read_bytes().decode()


def expected(text: str) -> str:
    return text.replace("(4,52,13,63)", "(0.0179,0.2321,0.0580,0.2812)").replace(
        "(9,58)", "(0.0402,0.2589)"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "[]",
        " [ ]\n",
        LLAVA,
        LLAVA + "\r\n\n" + LLAVA + "\n",
        f"[{LLAVA},\n\n {LLAVA}]",
        f"[{LLAVA}, [{LLAVA} , {LLAVA}]]\n",
        "\ufeff" + LLAVA,
        f"\ufeff[{LLAVA}]",
        '{"messages": [{"role": "user", "content": "at (4,52,13,63)"}], ' + SIZE + "}",
        '{"prompt": "(9,58)", "completion": "(4,52,13,63)", ' + SIZE + "}",
        '{"prompt": [{"role": "user", "content": [{"type": "image"}, {"text": "at (9,58)"}]}], '
        '"completion": [{"role": "assistant", "content": "(4,52,13,63)(9,58)"}], ' + SIZE + "}",
    ],
)
def test_only_the_locations_change(text: str, tmp_path: Path) -> None:
    assert run(text, tmp_path) == expected(text)


def test_packed_records_on_lines(tmp_path: Path) -> None:
    text = f"[{LLAVA},{LLAVA}]\n{LLAVA}\n"
    assert run(text, tmp_path, "in.jsonl") == expected(text)


def test_other_fields_keep_their_numbers(tmp_path: Path) -> None:
    text = '{"id": "(4,52,13,63)", "prompt": "no", "note": ["(9,58)"], ' + SIZE + "}"
    assert run(text, tmp_path) == text


def test_the_report(tmp_path: Path) -> None:
    lines = [
        LLAVA,
        '{"prompt": "none"}',
        '{"prompt": "(9,58) without a size"}',
        '{"prompt": "(300,0), (1,2,3), (7,1,3,9)", ' + SIZE + "}",
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    report = convert(tmp_path / "in.jsonl", tmp_path / "out", read=IVB, write=NFP_)
    assert report == ConversionReport(records=4, rewritten=3, clipped=1, unparsed=2, without_size=1)
    assert (tmp_path / "out").read_text().splitlines()[2] == lines[2]
    assert report.sizeless.endswith("line 3: names no picture")


def test_the_first_picture_that_is_gone_is_named(tmp_path: Path) -> None:
    gone = '{"prompt": "(9,58)", "image": "gone.png"}'
    (tmp_path / "in.jsonl").write_text(f"{gone}\n{LLAVA}\n")
    report = convert(tmp_path / "in.jsonl", tmp_path / "out", read=IVB, write=NFP_)
    assert "line 1: there is no 'gone.png' in" in report.sizeless
    (tmp_path / "in.jsonl").write_text(gone)
    with pytest.raises(InputError, match=r"of a known size \(.*there is no 'gone.png'"):
        convert(tmp_path / "in.jsonl", tmp_path / "out", read=IVB, write=NFP_)


class Padded(NFP):
    """Shares of a square that the picture is centred in."""

    name = "padded"

    def frame(self, size: Size) -> Frame:
        return Frame.pad_to_square(size, 100)


class Cropped(NFP):
    name = "cropped"

    def frame(self, size: Size) -> Frame:
        return Frame.center_crop(size, 100, 100)

    def encode(self, location: Location, frame: Frame | Size) -> str:
        if isinstance(location, Point):
            raise CoordinateError("cropped: has boxes only")
        return super().encode(location, frame)


def test_each_format_has_its_own_frame(tmp_path: Path) -> None:
    text = '{"prompt": "(0.0000,0.0000,1.0000,1.0000)", "width": 400, "height": 200}'
    assert "(0.0000,0.2500,1.0000,0.7500)" in run(text, tmp_path, read=NFP_, write=Padded())
    text = '{"prompt": "(0.0000,0.2500,1.0000,0.7500)", "width": 400, "height": 200}'
    assert "(0.0000,0.0000,1.0000,1.0000)" in run(text, tmp_path, read=Padded(), write=NFP_)


def test_what_the_target_cannot_see_or_write_is_counted(tmp_path: Path) -> None:
    text = '{"prompt": "(0.1,0.1) (0.0,0.0,1.0,1.0)", "width": 400, "height": 200}'
    (tmp_path / "in").write_text(text)
    report = convert(tmp_path / "in", tmp_path / "out", read=NFP_, write=Cropped())
    assert report == ConversionReport(records=1, rewritten=1, clipped=1, unwritable=1)
    assert "(0.1,0.1) (0.0000,0.0000,1.0000,1.0000)" in (tmp_path / "out").read_text()


words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="()[]"), max_size=5)


@unhurried
@given(
    st.lists(st.tuples(words, *[st.integers(0, 99)] * 4), max_size=4),
    st.booleans(),
)
def test_there_and_back(pieces: list[tuple], escape: bool) -> None:
    """99 shares of 1 / 99 survive a trip over four decimals, whatever is written around them."""
    bins = coordinates.get("ivb", bins=99)
    text = "".join(
        f"{said}({min(a, c)},{min(b, d)},{max(a, c)},{max(b, d)})" for said, a, b, c, d in pieces
    )
    record = {"prompt": text, "width": 640, "height": 480}
    line = json.dumps(record, ensure_ascii=escape).encode()
    there, back = Converter(bins, NFP_, ImageSizes()), Converter(NFP_, bins, ImageSizes())
    assert back.record(there.record(line, "there"), "back") == line
    assert there.report.rewritten == back.report.rewritten == len(pieces)


def test_what_is_read_is_not_written_to(tmp_path: Path) -> None:
    """A second run would take the converted numbers for those of the old format."""
    path, link = tmp_path / "data.jsonl", tmp_path / "link"
    path.write_text(LLAVA)
    link.symlink_to(path)
    for out in (path, link):
        with pytest.raises(InputError, match="read; give another"):
            convert(path, out, read=IVB, write=NFP_)
    assert path.read_text() == LLAVA


@pytest.mark.parametrize("more", ["", "\n", LLAVA])
def test_a_file_that_is_there_must_be_the_same(more: str, tmp_path: Path) -> None:
    """As after a kill at the very end."""
    source, out = tmp_path / "in", tmp_path / "out"
    source.write_text(LLAVA)
    out.write_text(expected(LLAVA) + more)
    if more:
        with pytest.raises(InputError, match="exists with other content, so it is not replaced"):
            convert(source, out, read=IVB, write=NFP_)
    else:
        assert convert(source, out, read=IVB, write=NFP_).rewritten == 2
    assert out.read_text() == expected(LLAVA) + more
    source.write_text("[" + LLAVA + "]")
    with pytest.raises(InputError, match="exists with other content, so it is not replaced"):
        convert(source, out, read=IVB, write=NFP_)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"{LLAVA}\n\n{{", "line 3: not a JSON record"),
        (f"{LLAVA}\n3", "line 2: not a JSON record"),
        (f"{LLAVA}\n{{}}", "line 2: not a record with text"),
        (LLAVA.encode() + b'\n{"prompt": "\xff"}', "line 2"),
        (f'[{LLAVA},\n{LLAVA},\n\n{{"id": 1}}]', "line 4: not a record with text"),
        (f"[{LLAVA},\n[{LLAVA},\n7]]", "line 3: not a JSON record"),
        (f"[{LLAVA}", "line 1: not a JSON record"),
        ("[" * 100_000, "line 1: not a JSON record"),
        (LLAVA.replace("512", '"x"', 1), "line 1: width is 'x', not a whole number"),
        ('{"prompt": "(9,58)"}', "give --images"),
    ],
)
def test_bad_input_is_one_line_and_changes_nothing(
    text: str | bytes, problem: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        run(text, tmp_path)
    assert "\n" not in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} == {"in.json"}


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        convert(tmp_path / "none", tmp_path / "out", read=IVB, write=NFP_)
    (tmp_path / "in").touch()
    with pytest.raises(InputError, match="cannot be written"):
        convert(tmp_path / "in", tmp_path / "no" / "out", read=IVB, write=NFP_)


def test_memory_does_not_grow_with_the_lines(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(f"{LLAVA}\n" * 4000)
    tracemalloc.start()
    report = convert(tmp_path / "in.jsonl", tmp_path / "out", read=IVB, write=NFP_)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert report.rewritten == 8000
    assert peak < (tmp_path / "in.jsonl").stat().st_size


def test_boxes_alone(tmp_path: Path) -> None:
    boxes = LLAVA.replace("(4,52,13,63)", "(0.0179,0.2321,0.0580,0.2812)")
    assert run(LLAVA, tmp_path, only="box") == boxes
    points = LLAVA.replace("(9,58)", "(0.0402,0.2589)")
    assert run(LLAVA, tmp_path, only="point") == points


def test_the_wrong_format_is_told(tmp_path: Path) -> None:
    record = '{"prompt": "(4,52,13)", "completion": "(1,2,3,4,5) and (7)", ' + SIZE + "}"
    with pytest.raises(InputError, match="none of its 4 groups of numbers is a location in ivb"):
        run(f"[{record}, {record}]", tmp_path)
    assert not (tmp_path / "out").exists()
    assert run(f"[{LLAVA}, {record}, {record}]", tmp_path)  # one is read: the others are counted


def test_no_folder_of_pictures(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: no such folder of pictures"):
        run(LLAVA, tmp_path, images=tmp_path / "nowhere")


def test_thoughts_and_calls_of_tools_are_rewritten_too(tmp_path: Path) -> None:
    call = {"function": {"name": "zoom", "arguments": json.dumps({"bbox_2d": [1, 2, 3, 4]})}}
    said = {
        "role": "assistant",
        "content": None,
        "reasoning_content": 'Look at {"bbox_2d": [5, 6, 7, 8]}',
        "tool_calls": [call],
    }
    path, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    path.write_text(json.dumps({"messages": [said], "width": 1000, "height": 1000}))
    read, write = coordinates.get("qwen3-vl"), coordinates.get("gemini")
    assert convert(path, out, read=read, write=write).rewritten == 2
    [again] = json.loads(out.read_text())["messages"]
    assert again["reasoning_content"] == 'Look at {"box_2d": [6, 5, 8, 7]}'
    assert json.loads(again["tool_calls"][0]["function"]["arguments"]) == {"box_2d": [2, 1, 4, 3]}


def test_a_picture_that_cannot_be_used_is_one_picture(tmp_path: Path) -> None:
    Image.new("RGB", (512, 512)).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"")
    rows = [{"image": f"{name}.png", "output": "(4,52,13,63)"} for name in ("bad", "good")]
    (tmp_path / "in.json").write_text("\n".join(map(json.dumps, rows)))
    report = convert(tmp_path / "in.json", tmp_path / "out", read=IVB, write=NFP_)
    bad, good = (tmp_path / "out").read_text().splitlines()
    assert (bad, report.unreadable, report.rewritten) == (json.dumps(rows[0]), 1, 1)
    assert "line 1" in report.unreadable_image
    assert "bad.png: not a readable picture" in report.unreadable_image
    assert "0.0179" in good
    (tmp_path / "in.json").write_text(json.dumps(rows[0]))
    with pytest.raises(InputError, match="none of the 1 records with locations has a picture"):
        convert(tmp_path / "in.json", tmp_path / "none", read=IVB, write=NFP_)
    assert not (tmp_path / "none").exists()
