import pytest

from locvlm.errors import InputError
from tests.evaluation.tasks import official

ROWS = [
    {"video": "v_a.gif", "present": ["person", "dog", "cup", "dog"], "absent": ["bus", "kite"]},
    {"video": "sub/v_b.mp4", "present": ["person"], "absent": ["bus", "kite"]},
    {"video": "v_c.mp4", "present": ["person", "bed"], "absent": ["bus", "kite", "tie"]},
]


@pytest.fixture
def lists(tmp_path):
    return official.lines(tmp_path / "labels.jsonl", ROWS)


def test_two_present_and_two_absent(lists):
    asked = official.load("hal-act", annotations=lists)
    assert [question.image for question in asked] == ["v_a.gif"] * 4 + ["v_c.mp4"] * 4
    assert [question.expected for question in asked] == ["yes", "yes", "no", "no"] * 2
    for question in asked:
        row = next(row for row in ROWS if row["video"] == question.image)
        kind = "present" if question.expected == "yes" else "absent"
        assert question.meta["category"] in row[kind]
        assert question.id == f"{question.image}/{question.meta['category']}"
        name = question.meta["category"]
        assert question.instruction.question == f"Is there {name} in this video?"
    assert len({question.id for question in asked}) == 8  # "dog" twice in the list counts once
    assert asked.skipped == {"fewer than 2 categories present": 1}


def test_missing_videos_are_counted(lists, tmp_path):
    clips = official.pictures(tmp_path / "clips", "v_a.gif", "sub/v_b.webm")
    asked = official.load("hal-act", clips, annotations=lists)
    assert {question.image for question in asked} == {"v_a.gif"}
    assert asked.skipped == {
        "clips whose file is missing": 1,
        "fewer than 2 categories present": 1,
    }


def test_drawn_by_seed(lists):
    drawn = {
        seed: tuple(q.id for q in official.load("hal-act", None, seed, annotations=lists))
        for seed in range(8)
    }
    assert drawn[3] == tuple(q.id for q in official.load("hal-act", None, 3, annotations=lists))
    assert len(set(drawn.values())) > 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"absent": ["bus", "dog"]}, "line 1: 'dog' is in present and absent; remove it"),
        ({"present": ["dog", ""]}, "line 1, present: '' cannot be asked"),
        ({"present": "dog"}, r"line 1: not a row .*Expected `array`, got `str` - at `\$.present`"),
        ({"video": "/v.mp4"}, "line 1: the file name '/v.mp4' does not stay in its folder"),
        ({"video": "v_c.mp4"}, "line 3: a second row about 'v_c.mp4'"),
    ],
)
def test_bad_rows(tmp_path, change, message):
    path = official.lines(tmp_path / "q.jsonl", [{**ROWS[0], **change}, *ROWS[1:]])
    with pytest.raises(InputError, match=message):
        official.load("hal-act", annotations=path)


def test_scores_by_hand(lists, tmp_path):
    figures = official.scores("hal-act", lambda number: "Yes", tmp_path, annotations=lists)
    assert figures == {
        "accuracy": (1 / 2, 8),
        "accuracy present": (1, 4),
        "accuracy absent": (0, 4),
        "precision": (1 / 2, 8),
        "recall": (1, 4),
        "yes-rate": (1, 8),
    }
