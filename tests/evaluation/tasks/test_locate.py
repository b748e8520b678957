import pytest

from locvlm import coordinates
from locvlm.annotations.base import AnnotatedImage
from locvlm.errors import InputError
from locvlm.evaluation.categories import score_categories
from locvlm.evaluation.left_out import LeftOut
from locvlm.evaluation.task import AnswerContext, ScoredAnswer
from locvlm.evaluation.tasks import locate
from locvlm.geometry import Box, Frame
from locvlm.instructions.objectives import locpred

IMAGE = AnnotatedImage(1, "1.jpg", 640, 480)


@pytest.fixture
def dog(annotations):
    """The box is (40, 30, 80, 70) of a picture of 400 x 300."""
    return next(
        q for q in locate.make_questions(annotations, seed=0, options={}) if q.id == "1/dog"
    )


def score(question, answer):
    reading = AnswerContext(coordinates.get("ivb", bins=100), Frame.resize((400, 300), 100), ())
    return locate.TASK.score(question, answer, reading)


def test_single_instances_only(annotations):
    questions = locate.make_questions(annotations, seed=0, options={"several": "skip"})
    assert [q.meta["category"] for q in questions] == [
        *("dog", "cat", "cup", "clock"),
        *("person", "hot dog", "kite"),
        "cat",
    ]
    assert questions.skipped == {}
    dogs, crowd = questions.left_out
    assert dogs == LeftOut(dogs.why, objects=2, of_objects=11, images=1, of_images=3)
    assert "their picture holds several of the kind" in dogs.why
    assert (crowd.objects, crowd.images) == (1, 1)


def test_any_of_several_is_right(annotations):
    """Beside the questions about single ones, which stay as they are."""
    single = locate.make_questions(annotations, seed=0, options={"several": "skip"})
    both = locate.make_questions(annotations, seed=0, options={})
    [dogs] = [q for q in both if q not in single.questions]
    assert [q for q in both if q != dogs] == list(single)
    assert (dogs.id, dogs.meta["several"]) == ("2/dog", "2")
    assert dogs.accepted == ("130,180,170,220", "80,180,120,220")
    assert [mark.coords for mark in dogs.marks] == [(130, 180, 170, 220), (80, 180, 120, 220)]
    for x in (100, 150):
        place = Box(x - 20, 180, x + 20, 220)
        answer = coordinates.get("ivb", bins=100).encode(place, Frame.resize((300, 400), 100))
        reading = AnswerContext(coordinates.get("ivb", bins=100), Frame.resize((300, 400), 100), ())
        assert locate.TASK.score(dogs, answer, reading).hit
    assert [each.objects for each in both.left_out] == [1]
    with pytest.raises(InputError, match="option several: 'all' is unknown; give one of any, skip"):
        locate.make_questions(annotations, seed=0, options={"several": "all"})


def rows_of(questions, iou):
    return [
        ScoredAnswer(
            *(q.id, q.image, "", "", q.expected, dict(q.meta), q.marks),
            *(iou(q) >= 0.5, {"iou": iou(q), "parsed": True}),
        )
        for q in questions
    ]


def test_several_have_scores_of_their_own(annotations):
    """And leave those of the single ones what they were."""
    asked = {
        how: locate.make_questions(annotations, seed=0, options={"several": how})
        for how in ("any", "skip")
    }
    rows = {
        how: rows_of(of, lambda q: 0.2 if "several" in q.meta else 0.9) for how, of in asked.items()
    }
    scores = {how: locate.TASK.summarize(of, seed=0) for how, of in rows.items()}
    more = {name: score for name, score in scores["any"].items() if name.startswith("several/")}
    assert {n: s for n, s in scores["any"].items() if n not in more} == scores["skip"]
    assert {name: score.value for name, score in more.items()} == {
        "several/mean IoU": pytest.approx(0.2),
        "several/accuracy at IoU 0.5": 0,
        "several/parse rate": 1,
        "several/not there rate": 0,
        "several/unparsed rate": 0,
    }
    found = score_categories(locate.TASK, [rows["any"]])
    assert found["dog"] == {
        "n": 1,
        "mean IoU": pytest.approx(0.9),
        "accuracy at IoU 0.5": 1,
        "not there rate": 0,
        "several/mean IoU": pytest.approx(0.2),
        "several/accuracy at IoU 0.5": 0,
    }
    assert list(found) == ["cat", "clock", "cup", "dog", "hot dog", "kite", "person"]
    assert found["cat"]["n"] == 2


def test_pictures_without_any_are_counted(annotations):
    bare = AnnotatedImage(9, "9.png", 10, 10)
    data = type(annotations)((bare,), annotations.categories, annotations.source)
    questions = locate.make_questions(data, seed=0, options={})
    assert len(questions) == 0
    assert questions.skipped == {"no object to ask for": 1}
    questions = locate.make_questions(data, seed=0, options={"several": "skip"})
    assert questions.skipped == {"no category with a single instance": 1}


def test_prompt_is_one_of_training(dog):
    prompt = dog.instruction.question
    assert prompt in {text.replace("{category}", "dog") for text in locpred.PROMPTS}
    assert (dog.instruction.answer, dog.expected) == (locpred.ANSWER, "40,30,80,70")


def test_boxes_are_compared_in_original_pixels(dog):
    outcome = score(dog, "It is located at (10,10,20,23)")  # of 100 bins: x * 4, y * 3
    assert outcome.found == (40, 30, 80, 69)
    assert outcome.values == {"iou": pytest.approx(39 / 40), "parsed": True}
    assert outcome.hit


@pytest.mark.parametrize(
    "answer",
    ["", "There is no such object in the image", "(10,10)", "(20,10,10,23)", "(0.1,0.1,0.2,0.2)"],
)
def test_no_box_is_a_miss(dog, answer):
    outcome = score(dog, answer)
    assert (outcome.hit, outcome.found) == (False, None)
    said = {"not there": answer.startswith("There is no")}
    assert outcome.values == {"iou": 0, "parsed": False, **said}


def test_the_first_box_counts(dog):
    assert score(dog, "At (1,1) or (80,80,90,90) or (10,10,20,23)").values["iou"] == 0


def test_half_an_overlap_is_a_hit(dog):
    assert score(dog, "(10,10,20,24)").hit
    assert not score(dog, "(10,10,14,23)").hit


@pytest.mark.parametrize(
    ("side", "size"),
    [(0, "small"), (31.9, "small"), (32, "medium"), (95.9, "medium"), (96, "large")],
)
def test_sizes_are_cocos_on_a_picture_of_640_by_480(side, size):
    assert locate.size_class(Box(0, 0, side, side), IMAGE) == size
    half = AnnotatedImage(1, "1.jpg", 320, 240)
    assert locate.size_class(Box(0, 0, side / 2, side / 2), half) == size


def test_nothing_to_sum_up():
    scores = locate.TASK.summarize([], seed=0)
    assert set(locate.TASK.headlines) <= set(scores)
    assert {score.n for score in scores.values()} == {0}
