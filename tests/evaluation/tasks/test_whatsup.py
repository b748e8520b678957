import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.errors import InputError
from locvlm.evaluation.tasks import whatsup
from tests.evaluation.tasks import official

SIDES = {
    "on": "A mug on a table",
    "under": "A mug under a table",
    "left": "A mug to the left of a table",
    "right": "A mug to the right of a table",
}
CAPTIONS = dict(zip("ABCD", SIDES.values(), strict=True))


def arranged(word, a="mug", b="table", sides=SIDES):
    name = f"{a}_{word}_of_{b}" if word in ("left", "right", "in-front") else f"{a}_{word}_{b}"
    others = [text for key, text in sides.items() if key != word]
    return {
        "image_path": f"data/controlled_images/{name}.jpeg",
        "caption_options": [sides[word], *others],
    }


@pytest.fixture
def controlled(tmp_path):
    """A whole set of four photos, and one photo of another set."""
    path = tmp_path / "controlled_images_dataset.json"
    path.write_text(json.dumps([*map(arranged, SIDES), arranged("left", "book", "sofa")]))
    return path


def found(tmp_path, name, rows):
    path = tmp_path / name
    path.write_text(json.dumps(rows))
    return path


def test_questions_are_those_of_the_file(controlled):
    asked = official.load("whatsup", questions=controlled)
    assert [question.id for question in asked] == ["0", "1", "2", "3", "4"]
    assert [question.meta["relation"] for question in asked] == [*SIDES, "left"]
    assert {question.meta["set"] for question in asked} == {"mug/table", "book/sofa"}
    first = asked.questions[0]
    assert first.image == "mug_on_table.jpeg"
    assert first.expected == "A mug on a table"
    lines = first.instruction.question.splitlines()
    assert (lines[0], lines[-1]) == (whatsup.PROMPT, whatsup.REQUEST)
    assert lines[1:-1] == [f"{letter}. {first.meta[letter]}" for letter in "ABCD"]
    assert first.meta[first.instruction.answer] == first.expected
    assert {first.meta[letter] for letter in "ABCD"} == set(SIDES.values())


def test_shuffled_by_seed(controlled):
    drawn = [
        [
            question.instruction.answer
            for question in official.load("whatsup", None, seed, questions=controlled)
        ]
        for seed in (0, 0, 1, 2, 3)
    ]
    assert drawn[0] == drawn[1]
    assert len(set(map(tuple, drawn))) > 1


@pytest.mark.parametrize(
    "name",
    [
        "mug_on_table.jpeg",
        "controlled_images/mug_on_table.jpeg",
        "data/controlled_images/mug_on_table.jpeg",
    ],
)
def test_names_of_arranged_photos(controlled, tmp_path, name):
    images = official.pictures(tmp_path / "images", name)
    asked = official.load("whatsup", images, questions=controlled)
    assert [(question.id, question.image) for question in asked] == [("0", name)]
    assert asked.skipped == {"pictures whose file is missing": 4}


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("coco_qa_one_obj.json", "000000000285.jpg"),
        ("coco_qa_one_obj.json", "val2017/000000000285.jpg"),
        ("vg_qa_one_obj.json", "285.jpg"),
        ("vg_qa_one_obj.json", "vg_images/285.jpg"),
    ],
)
def test_names_of_found_photos(tmp_path, file, name):
    texts = ["A photo of a bear on the left", "A photo of a bear on the right"]
    questions = found(tmp_path, file, [[285, *texts], ["9", *texts]])
    images = official.pictures(tmp_path / "images", name)
    asked = official.load("whatsup", images, questions=questions)
    assert [(question.id, question.image) for question in asked] == [("0", name)]
    assert asked.questions[0].expected == texts[0]
    assert asked.questions[0].choices == ("A", "B")
    assert asked.skipped == {"pictures whose file is missing": 1}


def test_whose_photos_must_be_known(tmp_path):
    questions = found(tmp_path, "rows.json", [[285, "a dog above", "a dog below"]])
    with pytest.raises(InputError, match="of COCO or of Visual Genome"):
        official.load("whatsup", questions=questions)


@pytest.mark.parametrize(
    ("caption", "relation"),
    [
        ("A photo of a bench on the left", "left"),
        ("A photo of a bench on the top.", "top"),
        ("A photo of a dog to the left of a cat", "left"),
        ("A photo of a dog to the right of a cat", "right"),
        ("A photo of a dog above a cat", "above"),
        ("A photo of a dog below a cat", "below"),
        ("A photo of a dog in front of a cat", "front"),
        ("A photo of a dog behind a cat", "behind"),
        ("A photo of a dog on top of a cat", "top"),
        ("A photo of a dog with a cat", "other"),
        ("", "other"),
    ],
)
def test_prepositions(caption, relation):
    assert whatsup.relation(caption) == relation


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("B", "B"),
        (" b. ", "B"),
        ("(C)", "C"),
        ("**D**", "D"),
        ("B. A mug under a table", "B"),
        ("b) under", "B"),
        ("The answer is C.", "C"),
        ("Answer: D", "D"),
        ("I think that option (B) is right", "B"),
        ("The right caption is A.", "A"),
        ("A mug under a table.", "B"),  # the article is no letter
        ("It shows a mug on a  table", "A"),
        ("The answer is a mug to the left of a table", "C"),
        ("A mug on a table or a mug under a table", None),
        ("A mug", None),
        ("E", None),
        ("Because of that", None),
        ("", None),
    ],
)
def test_the_chosen_caption(answer, letter):
    assert whatsup.read_choice(answer, CAPTIONS) == letter


@given(st.sampled_from("ABCD"), st.permutations(list(SIDES.values())))
def test_a_letter_and_its_caption_choose_the_same(letter, texts):
    captions = dict(zip("ABCD", texts, strict=True))
    for answer in (letter, f"{letter}. {captions[letter]}", captions[letter]):
        assert whatsup.read_choice(answer, captions) == letter


def test_scores_by_hand(controlled, tmp_path):
    """Both of on and under, and left of left and right; the second set is not whole."""
    said = {"0": "on", "1": "under", "2": "left", "3": "left", "4": "left"}
    answers = {key: SIDES[word] for key, word in said.items()}
    figures = official.scores("whatsup", answers.__getitem__, tmp_path, questions=controlled)
    assert figures == {
        "accuracy": (4 / 5, 5),
        "pair accuracy": (1 / 2, 2),
        "set accuracy": (0, 1),
        "parse rate": (1, 5),
        "left/accuracy": (1, 2),
        "on/accuracy": (1, 1),
        "right/accuracy": (0, 1),
        "under/accuracy": (1, 1),
    }
    right = {str(number): text for number, text in enumerate([*SIDES.values(), SIDES["left"]])}
    figures = official.scores("whatsup", right.__getitem__, tmp_path, questions=controlled)
    assert figures["pair accuracy"] == (1, 2)
    assert figures["set accuracy"] == (1, 1)


def test_the_second_arrangement(tmp_path):
    sides = {word: f"A cup {word} of a can" for word in ("left", "right", "in-front", "behind")}
    rows = [arranged(word, "cup", "can", sides) for word in sides]
    questions = found(tmp_path, "controlled_clevr_dataset.json", rows)
    figures = official.scores("whatsup", lambda number: "none", tmp_path, questions=questions)
    assert figures["accuracy"] == figures["parse rate"] == (0, 4)
    assert (figures["pair accuracy"], figures["set accuracy"]) == ((0, 2), (0, 1))
    assert figures["in-front/accuracy"] == (0, 1)


def test_found_photos_have_no_pairs(tmp_path):
    rows = [[1, "A dog on the left", "A dog on the right"]]
    questions = found(tmp_path, "coco_qa_one_obj.json", rows)
    figures = official.scores(
        "whatsup", lambda number: "A dog on the left", tmp_path, questions=questions
    )
    assert figures["accuracy"] == figures["left/accuracy"] == (1, 1)
    assert figures["pair accuracy"] == figures["set accuracy"] == (None, 0)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"image_path": "a.jpeg", "caption_options": ["x", "y"]}, r"\[0\].image_path: 'a.jpeg'"),
        ({"image_path": "a_by_b.jpeg", "caption_options": ["x", "y"]}, "does not say how"),
        ({"image_path": "../a_on_b.jpeg", "caption_options": ["x", "y"]}, "does not stay in its"),
        ({"image_path": "a_on_b.jpeg", "caption_options": ["x"]}, "has 1 captions; give 2 to 26"),
        ({"image_path": "a_on_b.jpeg", "caption_options": ["x", " "]}, "caption 1: ' ' cannot be"),
        ({"image_path": "a_on_b.jpeg"}, "missing required field `caption_options`"),
        (["../../../../../1", "x", "y"], "does not stay in its folder"),
        ([1, "x"], r"\[0\]: not \[picture, right caption, wrong caption\]"),
        ([1, "x", 2], r"\[0\]: not \[picture, right caption, wrong caption\]"),
        (7, "not a file of What's Up"),
    ],
)
def test_bad_rows(tmp_path, row, message):
    with pytest.raises(InputError, match=message):
        official.load("whatsup", questions=found(tmp_path, "coco_qa.json", [row]))


def test_nothing_to_sum_up():
    scores = whatsup.summarize([], seed=0)
    assert set(whatsup.TASK.headlines) <= set(scores)
    assert {score.n for score in scores.values()} == {0}
