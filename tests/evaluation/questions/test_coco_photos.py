import pytest

from locvlm.evaluation.questions.coco_photos import file_names


def test_a_photo_of_2014():
    assert file_names("COCO_val2014_000000000042.jpg") == [
        "COCO_val2014_000000000042.jpg",
        "val2014/COCO_val2014_000000000042.jpg",
        "000000000042.jpg",
        "val2014/000000000042.jpg",
        "train2017/000000000042.jpg",
        "val2017/000000000042.jpg",
    ]


def test_a_photo_of_a_test_split():
    assert file_names("COCO_test2015_000000000001.jpg") == [
        "COCO_test2015_000000000001.jpg",
        "test2015/COCO_test2015_000000000001.jpg",
        "000000000001.jpg",
        "test2015/000000000001.jpg",
        "test2017/000000000001.jpg",
    ]


@pytest.mark.parametrize("name", ["", "n42.jpg", "val2017/000000000042.jpg", "COCO_42.jpg"])
def test_other_names_stand_for_themselves(name):
    assert file_names(name) == [name]
