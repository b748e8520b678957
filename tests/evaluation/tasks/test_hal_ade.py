import numpy as np
import pytest
from PIL import Image

from locvlm.errors import InputError
from locvlm.evaluation.questions.ade20k import NAMES, OWN
from locvlm.evaluation.tasks import hal_ade
from tests.evaluation.tasks import official

PERSON, CHAIR = NAMES.index("person") + 1, NAMES.index("chair") + 1
WALL, SKY, FLAG = NAMES.index("wall") + 1, NAMES.index("sky") + 1, NAMES.index("flag") + 1


def class_map(path, *values):
    """A map of 8 x 6 pixels, one row of a class each; the rest is of none."""
    pixels = np.zeros((6, 8), np.uint8)
    for row, value in enumerate(values):
        pixels[row] = value
    Image.fromarray(pixels).save(path)


@pytest.fixture
def maps(tmp_path):
    folder = tmp_path / "validation"
    folder.mkdir()
    class_map(folder / "ADE_val_00000001.png", WALL, SKY, FLAG, PERSON)
    class_map(folder / "ADE_val_00000002.png", PERSON, CHAIR, WALL)
    return folder


def test_two_present_and_two_absent(maps):
    asked = official.load("hal-ade", annotations=maps)
    assert {question.image for question in asked} == {"ADE_val_00000001.jpg"}
    assert {question.size for question in asked} == {(8, 6)}
    assert [question.expected for question in asked] == ["yes", "yes", "no", "no"]
    names = [question.meta["category"] for question in asked]
    assert {*names[:2]} < {"wall", "sky", "flag"}
    assert not {*names[2:]} & {"wall", "sky", "flag"}
    assert asked.skipped == {"fewer than 2 categories present": 1}
    first = asked.questions[0]
    assert first.id == f"ADE_val_00000001/{names[0]}"
    assert first.instruction.question == f"Is there {names[0]} in this image?"


def test_no_question_is_about_what_coco_has(maps):
    for seed in range(30):
        for question in official.load("hal-ade", None, seed, annotations=maps):
            assert question.meta["category"] in OWN


def test_drawn_by_seed(maps):
    drawn = [
        tuple(question.id for question in official.load("hal-ade", None, seed, annotations=maps))
        for seed in (0, 0, 1)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_missing_pictures_are_counted(maps, tmp_path):
    class_map(maps / "ADE_val_00000003.png", WALL, SKY)
    images = official.pictures(tmp_path / "images", "ADE_val_00000003.jpg")
    asked = official.load("hal-ade", images, annotations=maps)
    assert {question.image for question in asked} == {"ADE_val_00000003.jpg"}
    assert asked.skipped == {"pictures whose file is missing": 2}


@pytest.mark.parametrize("number", [0, 1, 149, 150])
def test_classes_are_pixel_values(tmp_path, number):
    class_map(tmp_path / "a.png", number)
    size, seen = hal_ade.read_map(tmp_path / "a.png")
    assert size == (8, 6)
    assert seen == ({NAMES[number - 1]} if number else set())


def test_palettes_are_indices_too(tmp_path):
    image = Image.new("P", (3, 2), WALL)
    image.putpalette([0, 0, 0] * 256)
    image.save(tmp_path / "a.png")
    assert hal_ade.read_map(tmp_path / "a.png") == ((3, 2), {"wall"})


def test_what_is_no_map(tmp_path):
    class_map(tmp_path / "a.png", 151)
    Image.new("RGB", (3, 2)).save(tmp_path / "b.png")
    (tmp_path / "c.png").write_bytes((tmp_path / "b.png").read_bytes()[:40])
    for name, message in (("a", "not a map"), ("b", "not a map"), ("c", "not a readable picture")):
        with pytest.raises(InputError, match=f"{name}.png: {message}"):
            hal_ade.read_map(tmp_path / f"{name}.png")


def test_no_folder(tmp_path):
    with pytest.raises(InputError, match="none: no such folder of class maps"):
        official.load("hal-ade", annotations=tmp_path / "none")
    with pytest.raises(InputError, match="no question for hal-ade can be made of it"):
        official.load("hal-ade", annotations=tmp_path)


def test_scores_by_hand(maps, tmp_path):
    figures = official.scores("hal-ade", lambda number: "No.", tmp_path, annotations=maps)
    assert figures == {
        "accuracy": (1 / 2, 4),
        "accuracy present": (0, 2),
        "accuracy absent": (1, 2),
        "precision": (None, 0),
        "recall": (0, 2),
        "yes-rate": (0, 4),
    }
