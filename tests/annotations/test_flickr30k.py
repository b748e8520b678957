from pathlib import Path

import pytest

from locvlm.annotations.base import Object
from locvlm.annotations.flickr30k import read_flickr30k
from locvlm.errors import InputError
from locvlm.geometry import Box
from locvlm.instructions import objectives
from locvlm.instructions.build import QuestionOptions, build

SIZE = "<size><width>100</width><height>50</height></size>"


def thing(*numbers: int, left: int = 1) -> str:
    names = "".join(f"<name>{number}</name>" for number in numbers)
    edges = f"<xmin>{left}</xmin><ymin>1</ymin><xmax>{left + 9}</xmax><ymax>10</ymax>"
    return f"<object>{names}<bndbox>{edges}</bndbox></object>"


def write(folder: Path, sentences: str | None, *things: str, size: str = SIZE) -> Path:
    for kind in ("Annotations", "Sentences"):
        (folder / kind).mkdir(exist_ok=True)
    xml = f"<annotation><filename>7.jpg</filename>{size}{''.join(things)}</annotation>"
    (folder / "Annotations" / "7.xml").write_text(xml)
    if sentences is not None:
        (folder / "Sentences" / "7.txt").write_text(sentences)
    return folder


def test_a_picture_without_anything(tmp_path: Path) -> None:
    data = read_flickr30k(write(tmp_path, ""))
    assert (data.images[0].objects, data.images[0].captions) == ((), ())
    assert data.images[0].absent == ()


def test_phrases_become_descriptions_and_captions(tmp_path: Path) -> None:
    said = (
        "[/EN#1/people A man] pets [/EN#2/animals/other his dog] .\n"
        "[/EN#2/animals A dog] is pet .\n"
    )
    data = read_flickr30k(write(tmp_path, said, thing(1), thing(2, left=21)))
    assert data.images[0].captions == ("A man pets his dog .", "A dog is pet .")
    assert data.images[0].objects == (
        Object("people", Box(0, 0, 10, 10), id="1", descriptions=("A man",)),
        Object("animals", Box(20, 0, 30, 10), id="2", descriptions=("his dog", "A dog")),
    )
    assert data.categories == ("people", "animals")
    assert not data.drops


def test_a_phrase_of_several_boxes_means_none_of_them(tmp_path: Path) -> None:
    said = "[/EN#1/people Two men] and [/EN#2/people a boy] .\n"
    data = read_flickr30k(write(tmp_path, said, thing(1), thing(1, 2, left=21)))
    assert [item.descriptions for item in data.images[0].objects] == [("a boy",)]
    assert data.drops == {
        "phrases that mean several boxes": 1,
        "boxes without a phrase of their own": 1,
    }


def test_kinds_are_no_names_and_not_counted(tmp_path: Path) -> None:
    said = "[/EN#1/people A man] and [/EN#2/people a boy] by [/EN#3/vehicles cars] .\n"
    boxes = (thing(1), thing(2, left=21), thing(3), thing(3, left=31))
    data = read_flickr30k(write(tmp_path, said, *boxes))
    built = build(data, QuestionOptions([name for name in objectives.names() if name != "caption"]))
    assert built.counts == dict.fromkeys(built.counts, 0) | {"locpred": 2, "revloc": 2}
    texts = "".join(i.question + i.answer for i in built.conversations[0].instructions)
    assert "people" not in texts
    assert "vehicles" not in texts


def test_scenes_and_what_has_no_box(tmp_path: Path) -> None:
    scene = "<object><name>1</name><scene>1</scene><nobndbox>0</nobndbox></object>"
    said = "[/EN#1/scene A park] and [/EN#0/notvisual it] .\n"
    data = read_flickr30k(write(tmp_path, said, scene))
    assert data.images[0].objects == ()
    assert data.drops == {"phrases without a box": 2}


def test_what_is_counted(tmp_path: Path) -> None:
    data = read_flickr30k(write(tmp_path, "\n{a} [/EN#1/other {b}]\n", thing(9), thing(1)))
    assert data.drops == {
        "captions that are empty or have braces": 2,
        "phrases that are empty or have braces": 1,
        "boxes that no sentence mentions": 1,
        "boxes without a phrase of their own": 1,
    }


def test_no_sentences(tmp_path: Path) -> None:
    data = read_flickr30k(write(tmp_path, None))
    assert data.images == ()
    assert data.drops == {"pictures without sentences": 1}


@pytest.mark.parametrize(
    ("sentences", "size", "said"),
    [
        ("ok\n[/EN#1/people A man", SIZE, r"7.txt: line 2: a phrase \[/EN#…\] is not closed"),
        ("", "", "7.xml: size is 0 × 0 pixels"),
    ],
)
def test_what_cannot_be_read(sentences: str, size: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        read_flickr30k(write(tmp_path, sentences, size=size))


def test_another_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give the folder that holds Annotations"):
        read_flickr30k(tmp_path)
