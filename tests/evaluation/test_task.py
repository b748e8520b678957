from locvlm.evaluation.task import Question, group_by_image
from locvlm.instructions.base import Instruction


def test_questions_about_one_picture_come_together():
    asked = [
        Question(str(n), image, None, Instruction("vsr", "?", "Yes"), "yes")
        for n, image in enumerate("abacb")
    ]
    assert group_by_image([]) == {}
    groups = {image: [item.id for item in group] for image, group in group_by_image(asked).items()}
    assert list(groups.items()) == [("a", ["0", "2"]), ("b", ["1", "4"]), ("c", ["3"])]
