"""Words for categories: read from a file, and given to a data set that keeps its own names."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm import annotations as readers
from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.annotations.wording import find_words, name_categories, read_names, synonyms_of
from locvlm.errors import InputError
from locvlm.geometry import Box

BOX = Box(1, 2, 30, 40)


@pytest.fixture
def data() -> AnnotationSet:
    first = AnnotatedImage(
        *(1, "1.png", 90, 80, (Object("def_01", BOX), Object("ok", BOX))),
        absent=("def_02",),
        not_exhaustive=("ok",),
    )
    second = AnnotatedImage(2, "2.png", 90, 80, (Object("def_02", BOX),))
    return AnnotationSet(
        (first, second),
        ("def_01", "def_02", "ok", "root"),
        Path("parts.json"),
        unboxed=("root",),
        dummies=("root",),
        category_ids={"7": "def_01", "8": "def_02"},
    )


WORDS = {"def_01": ("scratch on metal", "scuff"), "def_02": ("dent",), "no": ("nose",)}
FILES = {
    "names.yaml": "# ours\ndef_01: scratch on metal | scuff\ndef_02: [dent]\nno: nose\n",
    "names.txt": "# ours\ndef_01: scratch on metal|scuff\n\ndef_02: dent\nno:nose\n",
    "names.json": '{"def_01": ["scratch on metal", "scuff"], "def_02": "dent", "no": "nose"}',
    "names.csv": "def_01,scratch on metal,scuff\ndef_02,dent,\nno,nose\n",
    "excel.csv": "\ufeffdef_01;scratch on metal|scuff;\r\ndef_02;dent\r\n;;\r\nno;nose\r\n",
    "sep.csv": "sep=;\ndef_01;scratch on metal;scuff\ndef_02;dent\nno;nose\n",
    "names.tsv": "def_01\tscratch on metal | scuff\ndef_02\tdent\nno\tnose\n",
}


@pytest.mark.parametrize("name", FILES)
def test_forms_of_the_file(name, tmp_path):
    (tmp_path / name).write_text(FILES[name])
    assert read_names(tmp_path / name) == WORDS


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("n.yaml", "", "not names; write lines"),
        ("n.yaml", "a: b\na: c", "'a' is there already"),
        ("n.yaml", "a: {b: c}", "n.yaml: a: not a name"),
        ("n.yaml", "a: ''", "a name is empty or has braces"),
        ("n.yaml", "a: 'x {loc}'", "a name is empty or has braces"),
        ("n.yaml", "[", "cannot be read as names"),
        ("n.json", '{"a": "b", "a": "c"}', "'a' is there twice"),
        ("n.json", "[1]", "not names"),
        ("n.csv", "a\n", "'a' has no name"),
        ("n.csv", "a;b\nc,d\n", "'c,d' has no name; write rows of two columns or more, with ';'"),
        ("n.csv", 'a,"b\nc,d\n', "not CSV"),
        ("n.xlsx", "PK", "is a workbook, not text; save its sheet as CSV"),
        ("n.csv", "a,b\na,c\n", "'a' is there twice"),
        ("n.txt", "a b", "line 1: no colon"),
        ("n.txt", "\n", "names nothing"),
        ("n.txt", "a:", "a name is empty"),
    ],
)
def test_what_is_no_file_of_names(name, text, message, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        read_names(tmp_path / name)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"none\.yaml"):
        read_names(tmp_path / "none.yaml")


def test_categories_get_their_words_and_keep_their_names(data):
    named = name_categories(data, {"def_01": ("scratch", "scuff"), "8": ("dent",)})
    assert named.categories == ("scratch", "dent", "ok", "root")
    assert [[o.category for o in image.objects] for image in named.images] == [
        ["scratch", "ok"],
        ["dent"],
    ]
    assert named.images[0].absent == ("dent",)
    assert named.images[0].not_exhaustive == ("ok",)
    assert (named.unboxed, named.dummies) == (("root",), ("root",))
    assert named.names == {"def_01": ("scratch", "scuff"), "def_02": ("dent",)}
    assert synonyms_of(named.names) == {"scuff": "scratch"}
    assert named.remarks == ("2 of 4 categories keep their own: ok, root",)
    assert [image.objects[0].box for image in named.images] == [BOX, BOX]
    assert data.categories[0] == "def_01"  # the given one is as it was


def test_words_again_are_the_same(data):
    """A built data set has them already: own names still do as keys, and others may follow."""
    swapped = {"def_01": ("def_02",), "def_02": ("def_01", "old")}
    named = name_categories(data, swapped)
    assert name_categories(named, swapped).names == named.names
    assert name_categories(named, swapped).categories == named.categories
    other = name_categories(named, {"7": ("crack",)})
    assert other.categories == ("crack", "def_01", "ok", "root")
    assert other.names == {"def_01": ("crack",), "def_02": ("def_01", "old")}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"def_1": ("x",)}, "'def_1' is no category of parts.json; did you mean .*'def_01'"),
        ({"zebra": ("x",)}, "it has def_01, def_02, ok, root"),
        ({"def_01": ("x",), "7": ("y",)}, "'def_01' and '7' are one category"),
        ({"def_01": ("dent",), "def_02": ("Dent",)}, "both 'def_01' and 'def_02'"),
        ({"def_01": ("ok",)}, "'ok' would mean both 'def_01' and 'ok'"),
        ({"def_01": ("x", "ok")}, "'ok' would mean both 'def_01' and 'ok'"),
        ({"def_01": ("x", "y"), "def_02": ("z", "y")}, "'y' would mean both"),
    ],
)
def test_names_that_cannot_be(data, names, message):
    with pytest.raises(InputError, match=message):
        name_categories(data, names, "names.yaml")


def test_numbers_that_get_names_are_no_longer_remarked(data, tmp_path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "data.yaml").write_text("names: ['0', '1']\ntrain: images\n")
    (tmp_path / "images").mkdir()
    from PIL import Image

    Image.new("RGB", (20, 20)).save(tmp_path / "images/a.png")
    (tmp_path / "labels/a.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    found = readers.read("yolo", tmp_path)
    assert found.category_ids == {"0": "0", "1": "1"}
    assert any("are numbers" in text for text in found.remarks)
    named = name_categories(found, {"0": ("rust",), "1": ("dirt",)})
    assert not any("are numbers" in text for text in named.remarks)
    assert named.images[0].objects[0].category == "rust"


def test_what_somebody_types():
    assert find_words("def_01", WORDS) == "scratch on metal"
    assert find_words("a dog", WORDS) == "a dog"


@given(st.text(), st.sampled_from(["names.txt", "names.yaml", "names.json", "names.csv"]))
def test_any_file_is_names_or_one_line(tmp_path_factory, text, name):
    path = tmp_path_factory.mktemp("names") / name
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    try:
        found = read_names(path)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert found and all(words and all(words) for words in found.values())
