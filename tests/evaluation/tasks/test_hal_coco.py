from dataclasses import replace

import pytest

from locvlm.errors import InputError
from locvlm.evaluation.task import AnswerContext
from locvlm.evaluation.tasks import hal_coco


def test_two_present_and_two_absent(annotations):
    questions = hal_coco.make_questions(annotations, seed=0, options={})
    assert questions.skipped == {"fewer than 2 categories present": 1}
    for image in annotations.images[:2]:
        there = {item.category for item in image.objects}
        group = [q for q in questions if q.image == image.file_name]
        assert [q.expected for q in group] == ["yes", "yes", "no", "no"]
        assert [q.meta["category"] in there for q in group] == [True, True, False, False]
        assert len({q.meta["category"] for q in group}) == 4


def test_the_question_is_the_papers(annotations):
    for question in hal_coco.make_questions(annotations, seed=0, options={}):
        category = question.meta["category"]
        assert question.instruction.question == f"Is there {category} in this image?"


def test_drawn_by_seed(annotations):
    drawn = [
        [q.id for q in hal_coco.make_questions(annotations, seed=seed, options={})]
        for seed in (0, 0, 1, 2)
    ]
    assert drawn[0] == drawn[1]
    assert len(set(map(tuple, drawn))) > 1


def test_too_few_absent_categories(annotations):
    few = replace(annotations, categories=("dog", "cat", "cup", "clock", "kite"))
    questions = hal_coco.make_questions(few, seed=0, options={})
    assert questions.skipped["fewer than 2 categories absent"] == 1
    assert {q.image for q in questions} == {"two/2.png"}


@pytest.mark.parametrize("unboxed", [False, True])
def test_what_has_no_box_anywhere(annotations, unboxed):
    more = replace(annotations, categories=(*annotations.categories, "gnu"), unboxed=("gnu",))
    asked = {
        question.meta["category"]
        for seed in range(20)
        for question in hal_coco.make_questions(more, seed=seed, options={"unboxed": unboxed})
    }
    assert ("gnu" in asked) is unboxed


def test_a_crowd_is_not_absent(annotations):
    for seed in range(20):
        for question in hal_coco.make_questions(annotations, seed=seed, options={}):
            if question.meta["category"] == "sofa":
                assert (question.expected == "yes") == (question.image == "two/2.png")


@pytest.mark.parametrize(
    ("answer", "yes"),
    [
        ("Yes", True),
        ("", True),
        ("No", False),
        ("no.", False),
        ("There is NO dog.", False),
        ("It is not.", False),
        ("There isn't.", False),
        ("I don’t see one", False),
        ("I cannot see one.", False),
        ("Nope", False),
        ("None.", False),
        ("I know: another knot, a piano", True),
    ],
)
def test_answer_rule(annotations, answer, yes):
    question = next(iter(hal_coco.make_questions(annotations, seed=0, options={})))
    assert question.expected == "yes"
    outcome = hal_coco.TASK.score(question, answer, AnswerContext(None, None, ()))  # type: ignore[arg-type]
    assert outcome.hit == outcome.values["yes"] == yes


def test_nothing_to_sum_up():
    assert {score.n for score in hal_coco.TASK.summarize([], seed=0).values()} == {0}


def one_each(annotations, count=4):
    """Pictures with one category each, and of a set that has others."""
    images = tuple(replace(annotations.images[2], id=i, file_name=f"{i}.png") for i in range(count))
    return replace(annotations, images=images)


def test_one_of_both_where_most_pictures_have_a_single_category(annotations):
    single = one_each(annotations)
    questions = hal_coco.make_questions(single, seed=0, options=hal_coco.TASK.options)
    assert [q.expected for q in questions] == ["yes", "no"] * 4
    assert {q.meta["category"] for q in questions if q.expected == "yes"} == {"cat"}
    assert all(q.meta["category"] != "cat" for q in questions if q.expected == "no")
    assert not questions.skipped
    assert "most show a single category" in questions.remarks[-1]


@pytest.mark.parametrize(("singles", "each"), [(2, 2), (3, 1)])
def test_two_as_long_as_half_of_the_pictures_allow(annotations, singles, each):
    """So the official data are asked about as ever."""
    some = one_each(annotations, singles)
    mixed = replace(some, images=(*annotations.images[:2], *some.images))
    questions = hal_coco.make_questions(mixed, seed=0, options={})
    assert len([q for q in questions if q.image == "1.png"]) >= 2
    assert len([q for q in questions if q.image == "two/2.png"]) == 2 * each
    assert bool(questions.remarks) is (each == 1)


def test_how_many_of_both_can_be_said(annotations):
    one = hal_coco.make_questions(annotations, seed=0, options={"each": 1})
    assert [q.expected for q in one] == ["yes", "no"] * 3
    assert not one.remarks
    assert not hal_coco.make_questions(one_each(annotations), seed=0, options={"each": 2}).questions
    with pytest.raises(InputError, match="each must be 1 or 2, or 0"):
        hal_coco.make_questions(annotations, seed=0, options={"each": 3})


def test_a_set_of_one_category_has_nothing_that_is_absent(annotations):
    alone = replace(one_each(annotations), categories=("cat",))
    questions = hal_coco.make_questions(alone, seed=0, options={})
    assert not questions.questions
    assert questions.skipped == {"no category absent": 4}
