import pytest

from locvlm.errors import InputError
from locvlm.evaluation.task import AnswerContext
from locvlm.evaluation.tasks import pope
from tests.evaluation.tasks import official

HEAD = "COCO_val2014_000000310196.jpg"
NEXT = "COCO_val2014_000000210789.jpg"


def row(number, label, image=HEAD, name="dog"):
    return {
        "question_id": number,
        "image": image,
        "text": f"Is there a {name} in the image?",
        "label": label,
    }


@pytest.fixture
def questions(tmp_path):
    rows = [row(1, "yes"), row(2, "no"), row(3, "yes", NEXT), row(4, "no", NEXT), row(5, "yes")]
    return official.lines(tmp_path / "coco_pope_random.json", rows)


def outcome(answer, expected="yes"):
    question = pope._question(
        pope._Row(1, HEAD, "Is there a dog?", expected), "row 1", "", HEAD, "file"
    )
    return pope.score(question, answer, AnswerContext(None, None, ()))


def test_questions_are_those_of_the_file(questions):
    asked = official.load("pope", questions=questions)
    assert [question.id for question in asked] == ["1", "2", "5", "3", "4"]  # by picture
    assert [question.expected for question in asked] == ["yes", "no", "yes", "yes", "no"]
    assert asked.questions[0].instruction.question == "Is there a dog in the image?"
    assert asked.questions[0].image == HEAD
    assert asked.source == "coco_pope_random.json"


def test_one_json_list_is_read_too(questions):
    lines = official.load("pope", questions=questions)
    questions.write_text("[" + ",".join(questions.read_text().splitlines()) + "]")
    assert official.load("pope", questions=questions) == lines


@pytest.mark.parametrize("name", [HEAD, f"val2014/{HEAD}", "000000310196.jpg"])
def test_names_of_pictures(questions, tmp_path, name):
    images = official.pictures(tmp_path / "images", name)
    asked = official.load("pope", images, questions=questions)
    assert {question.image for question in asked} == {name}
    assert asked.skipped == {"pictures whose file is missing": 1}


def test_no_picture_is_there(questions, tmp_path):
    with pytest.raises(InputError, match="has none of the 2 pictures"):
        official.load("pope", official.pictures(tmp_path / "images", "x.png"), questions=questions)


@pytest.mark.parametrize(
    ("answer", "yes", "strict"),
    [
        ("Yes", True, "yes"),
        ("yes, there is", True, "yes"),
        (" \n**Yes**.", True, "yes"),
        ("No", False, "no"),
        ("NO", True, "no"),  # POPE's parser knows "No" and "no"
        ("No, there is no dog.", False, "no"),
        ("no.", False, "no"),
        ("There is a dog. It is not red.", True, ""),  # the first sentence alone
        ("There is no dog", False, ""),
        ("It is not, I think", False, ""),
        ("I see nothing", True, ""),
        ("Nope", True, ""),
        ("Yesterday", True, ""),
        ("\nNo", True, "no"),  # words end at a space, not at a line's end
        ("", True, ""),
        (".No", True, "no"),
    ],
)
def test_both_readings(answer, yes, strict):
    for expected in ("yes", "no"):
        result = outcome(answer, expected)
        assert result.hit == (yes == (expected == "yes"))
        assert result.values == {
            "yes": yes,
            "strict yes": strict == "yes",
            "strict no": strict == "no",
        }


def test_scores_by_hand(questions, tmp_path):
    """Of 3 present ones 2 are seen, of 2 absent ones 1 is; "Maybe" is a yes for POPE alone."""
    answers = {"1": "Yes", "2": "No", "3": "Maybe", "4": "Yes", "5": "No"}
    figures = official.scores("pope", answers.__getitem__, tmp_path, questions=questions)
    assert figures == {
        "accuracy": (3 / 5, 5),
        "precision": (2 / 3, 3),
        "recall": (2 / 3, 3),
        "yes-rate": (3 / 5, 5),
        "F1": (2 / 3, 5),
        "strict accuracy": (2 / 5, 5),
        "strict precision": (1 / 2, 2),
        "strict recall": (1 / 3, 3),
        "strict yes-rate": (2 / 5, 5),
        "strict F1": (2 / 5, 5),
        "neither": (1 / 5, 5),
    }


def test_a_folder_is_scored_file_by_file(tmp_path):
    folder = tmp_path / "output"
    (folder / "coco").mkdir(parents=True)
    official.lines(folder / "coco" / "coco_pope_random.json", [row(1, "yes"), row(2, "no")])
    official.lines(folder / "coco" / "coco_pope_adversarial.json", [row(1, "no", NEXT)])
    (folder / "coco" / "coco_ground_truth_objects.json").write_text("{}")  # POPE's too; no question
    asked = official.load("pope", questions=folder)
    assert [question.id for question in asked] == [
        "coco_pope_adversarial/1",
        "coco_pope_random/1",
        "coco_pope_random/2",
    ]
    figures = official.scores("pope", lambda number: "Yes", tmp_path, questions=folder)
    assert figures["accuracy"] == (1 / 3, 3)
    assert figures["coco_pope_random/accuracy"] == (1 / 2, 2)
    assert figures["coco_pope_adversarial/accuracy"] == (0, 1)
    assert figures["coco_pope_adversarial/F1"] == (0, 1)


def test_a_folder_without_questions(tmp_path):
    with pytest.raises(InputError, match="has no file \\*_pope_\\*.json"):
        official.load("pope", questions=tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": "maybe"}, r"line 1: not a row .*Invalid enum value 'maybe' - at `\$.label`"),
        ({"text": None}, r"line 1: not a row .*at `\$.text`"),
        ({"text": "at {loc}?"}, "line 1: .* cannot be asked"),
        ({"image": "../x.jpg"}, "line 1: the file name '../x.jpg' does not stay in its folder"),
        ({"question_id": 2}, "2 questions have the id '2'"),
    ],
)
def test_bad_rows(tmp_path, change, message):
    path = official.lines(tmp_path / "q.json", [{**row(1, "yes"), **change}, row(2, "no")])
    with pytest.raises(InputError, match=message):
        official.load("pope", questions=path)


def test_an_empty_file(tmp_path):
    with pytest.raises(InputError, match="no question for pope can be made of it"):
        official.load("pope", questions=official.lines(tmp_path / "q.json", []))


def test_nothing_to_sum_up():
    scores = pope.summarize([], seed=0)
    assert set(pope.TASK.headlines) <= set(scores)
    assert {score.n for score in scores.values()} == {0}
