import pytest

from locvlm.evaluation.questions.ade20k import NAMES, OVERLAP, OWN

COCO = {
    *("person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat"),
    *("traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat"),
    *("dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack"),
    *("umbrella", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball"),
    *("kite", "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket"),
    *("bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple"),
    *("sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair"),
    *("couch", "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse"),
    *("remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink"),
    *("refrigerator", "book", "clock", "vase", "scissors", "teddy bear", "hair drier"),
    "toothbrush",
}


def test_classes_are_numbered_as_in_the_benchmark():
    assert len(NAMES) == len(set(NAMES)) == 150
    numbered = {1: "wall", 13: "person", 46: "counter", 100: "buffet", 139: "ashcan", 150: "flag"}
    assert {number: NAMES[number - 1] for number in numbered} == numbered


def test_every_overlap_is_with_a_category_of_coco():
    assert len(COCO) == 80
    assert set(OVERLAP) <= set(NAMES)
    assert set(OVERLAP.values()) <= COCO


def test_no_class_of_its_own_is_named_as_cocos():
    assert not set(OWN) & COCO
    assert len(OWN) == len(NAMES) - len(OVERLAP) == 102


@pytest.mark.parametrize("name", sorted(COCO))
def test_no_class_of_its_own_has_cocos_word(name):
    """A kind of what COCO has, or what COCO has a kind of, was decided on by hand."""
    last = name.split()[-1]
    assert [own for own in OWN if own.split()[-1] == last] == (
        ["pool table"] if last == "table" else ["light"] if last == "light" else []
    )
