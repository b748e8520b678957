import pytest

from locvlm.errors import InputError
from locvlm.evaluation.task import AnswerContext
from locvlm.evaluation.tasks import vsr
from tests.evaluation.tasks import official

ROWS = [
    {
        "image": "000000451431.jpg",
        "image_link": "http://images.cocodataset.org/train2017/000000451431.jpg",
        "caption": "The person is inside the refrigerator.",
        "label": 1,
        "relation": "inside",
        "annotator_id": 29,
        "vote_true_validator_id": "[2, 9]",
    },
    {"image": "2.jpg", "caption": "The bird is above the cat.", "label": 0, "relation": "above"},
    {
        "image": "000000451431.jpg",
        "caption": "The cat is above it.",
        "label": 0,
        "relation": "above",
    },
    {"image": "2.jpg", "caption": "The bird is like the cat.", "label": 1, "relation": "like"},
]


@pytest.fixture
def questions(tmp_path):
    return official.lines(tmp_path / "test.jsonl", ROWS)


def test_questions_are_those_of_the_file(questions):
    asked = official.load("vsr", questions=questions)
    assert [question.id for question in asked] == ["0", "2", "1", "3"]  # positions, by picture
    assert [question.expected for question in asked] == ["true", "false", "false", "true"]
    assert asked.questions[0].instruction.question == (
        "Based on the image, is this statement true or false? "
        "The person is inside the refrigerator."
    )
    assert [question.meta["family"] for question in asked] == [
        *("topological", "projective", "projective", "other")
    ]


def test_ids_do_not_hang_on_the_pictures_that_are_there(questions, tmp_path):
    images = official.pictures(tmp_path / "images", "train2017/000000451431.jpg")
    asked = official.load("vsr", images, questions=questions)
    assert [question.id for question in asked] == ["0", "2"]
    assert asked.questions[0].image == "train2017/000000451431.jpg"
    assert asked.skipped == {"pictures whose file is missing": 1}


def test_a_relation_is_in_one_family():
    every = [relation for relations in vsr.FAMILIES.values() for relation in relations]
    assert len(every) == len(set(every)) == 70
    assert len(vsr.FAMILIES) == 7


@pytest.mark.parametrize(
    ("answer", "said", "first"),
    [
        ("True", "true", "true"),
        ("yes.", "true", "true"),
        (" \n**false**", "false", "false"),
        ("No, it is not", "false", "false"),
        ("It is true", "true", ""),
        ("It isn’t true", "false", ""),
        ("That is not true.", "false", ""),
        ("True. It is not beside it.", "true", "true"),  # the first sentence alone
        ("True and false", "false", "true"),
        ("The statement is False", "false", ""),
        ("truely", "", ""),
        ("I know", "", ""),
        ("The cat.", "", ""),
        ("", "", ""),
        ("...", "", ""),
    ],
)
def test_both_readings(questions, answer, said, first):
    for question in official.load("vsr", questions=questions):
        outcome = vsr.score(question, answer, AnswerContext(None, None, ()))
        right = said == question.expected
        assert outcome.hit == outcome.values["accuracy"] == right
        assert outcome.values["strict accuracy"] == (first == question.expected)
        assert outcome.values["true"] == (said == "true")
        assert (outcome.values["neither"], outcome.values["strict neither"]) == (
            said == "",
            first == "",
        )


def test_scores_by_hand(questions, tmp_path):
    answers = {"0": "True", "1": "It is not.", "2": "True", "3": "Who knows?"}
    figures = official.scores("vsr", answers.__getitem__, tmp_path, questions=questions)
    assert figures == {
        "accuracy": (2 / 4, 4),
        "strict accuracy": (1 / 4, 4),
        "true-rate": (2 / 4, 4),
        "neither": (1 / 4, 4),
        "strict neither": (2 / 4, 4),
        "accuracy true": (1 / 2, 2),
        "accuracy false": (1 / 2, 2),
        "family/projective/accuracy": (1 / 2, 2),
        "family/projective/strict accuracy": (0, 2),
        "family/other/accuracy": (0, 1),
        "family/other/strict accuracy": (0, 1),
        "family/topological/accuracy": (1, 1),
        "family/topological/strict accuracy": (1, 1),
        "relation/above/accuracy": (1 / 2, 2),
        "relation/above/strict accuracy": (0, 2),
        "relation/inside/accuracy": (1, 1),
        "relation/inside/strict accuracy": (1, 1),
        "relation/like/accuracy": (0, 1),
        "relation/like/strict accuracy": (0, 1),
    }
    assert list(figures)[7] == "family/projective/accuracy"  # the most frequent first


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": 2}, r"line 1: not a row .*Invalid enum value 2 - at `\$.label`"),
        ({"caption": ""}, "line 1: '' cannot be asked"),
        ({"image": "/etc/x.jpg"}, "line 1: the file name '/etc/x.jpg' does not stay"),
    ],
)
def test_bad_rows(tmp_path, change, message):
    path = official.lines(tmp_path / "q.jsonl", [{**ROWS[0], **change}])
    with pytest.raises(InputError, match=message):
        official.load("vsr", questions=path)


def test_nothing_to_sum_up():
    scores = vsr.summarize([], seed=0)
    assert set(vsr.TASK.headlines) <= set(scores)
    assert {score.n for score in scores.values()} == {0}
