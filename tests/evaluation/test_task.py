from dataclasses import replace

from locvlm.evaluation.task import Question, digest_questions, group_by_image, group_by_view
from locvlm.instructions.base import Instruction


def test_questions_about_one_picture_come_together():
    asked = [
        Question(str(n), image, None, Instruction("vsr", "?", "Yes"), "yes")
        for n, image in enumerate("abacb")
    ]
    assert group_by_image([]) == {}
    groups = {image: [item.id for item in group] for image, group in group_by_image(asked).items()}
    assert list(groups.items()) == [("a", ["0", "2"]), ("b", ["1", "4"]), ("c", ["3"])]


def test_mirrored_views_are_apart():
    one = Question("1", "a", None, Instruction("t", "?", "!"), "!")
    mirrored, other = replace(one, mirrored=True), replace(one, image="b")
    assert group_by_view([one, mirrored, other, one]) == [[one, one], [mirrored], [other]]


def test_digests_are_those_of_before_there_was_mirroring():
    about = Instruction("t", 'Is ,"mirrored":false there?', "Yes")
    one = Question("1", "a.png", (40, 30), about, "yes", {"k": ',"mirrored":false'})
    assert digest_questions(one, one) == "2acbf092a9dc03df"
    mirrored = replace(one, mirrored=True)
    assert digest_questions(mirrored) != digest_questions(one)
