from locvlm.evaluation.task import Question, by_picture
from locvlm.instructions.base import Instruction


def test_questions_about_one_picture_come_together():
    asked = [
        Question(str(n), image, None, Instruction("vsr", "?", "Yes"), "yes")
        for n, image in enumerate("abacb")
    ]
    assert by_picture([]) == {}
    groups = {image: [item.id for item in group] for image, group in by_picture(asked).items()}
    assert list(groups.items()) == [("a", ["0", "2"]), ("b", ["1", "4"]), ("c", ["3"])]
