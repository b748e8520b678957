import json
import tracemalloc
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm import cli
from locvlm.errors import InputError
from locvlm.geometry import Box
from locvlm.inspection.words import WORDS, Corpus, Count, count_words
from locvlm.instructions.base import Conversation, Instruction
from locvlm.instructions.dataset import Manifest
from locvlm.instructions.dataset_writer import write_dataset
from locvlm.records import json_arrays

LLAVA = [
    {
        "id": "1",
        "image": "1.jpg",
        "conversations": [
            {"from": "human", "value": "<image>\nWhat is to the LEFT of the dog?"},
            {"from": "gpt", "value": "A cat, on the left. It has left the basket."},
            {"from": "human", "value": "All right, and above it?"},
            {"from": "gpt", "value": "Nothing."},
        ],
    },
    {"id": "2", "conversations": [{"from": "human", "value": "Who?"}]},
    {"id": "3", "conversations": []},
]


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".json":
        path.write_text(json.dumps(rows))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_counts_by_hand(name: str, tmp_path: Path) -> None:
    corpus = count_words(written(tmp_path / name, LLAVA), ["left", "right", "above", "under"])
    assert dict(corpus.words) == {
        "left": Count(samples=1, questions=1, answers=1, occurrences=2),
        "left (no side)": Count(samples=1, questions=0, answers=1, occurrences=1),
        "right": Count(),
        "right (no side)": Count(samples=1, questions=1, answers=0, occurrences=1),
        "above": Count(samples=1, questions=1, answers=0, occurrences=1),
        "under": Count(),
    }
    assert (corpus.samples, corpus.questions, corpus.answers) == (2, 3, 2)
    assert corpus.left_out == {"records without a question or an answer": 1}
    assert corpus.share("left") == 0.5


def test_an_empty_corpus(tmp_path: Path) -> None:
    corpus = count_words(written(tmp_path / "a.json", []))
    assert set(corpus.words) >= set(WORDS)
    assert corpus.words["left"] == Count()
    assert corpus.share("left") == 0


def test_other_forms(tmp_path: Path) -> None:
    rows = [
        {
            "messages": [
                {"role": "system", "content": "Answer left."},
                {"role": "user", "content": [{"type": "text", "text": "Left?"}]},
                {"role": "assistant", "content": "left"},
            ]
        },
        {"prompt": "left?", "completion": "Not left."},
    ]
    corpus = count_words(written(tmp_path / "a.jsonl", rows), ["left"])
    assert corpus.words["left"] == Count(samples=2, questions=2, answers=2, occurrences=4)
    assert corpus.left_out == {"messages that are neither question nor answer": 1}


def test_a_data_set_of_our_own(tmp_path: Path) -> None:
    items = (
        Instruction("spatial", "Which side of the cat is the dog?", "It is on the left."),
        Instruction("revloc", "What is at {loc}?", "A dog under a bed.", (Box(0, 0, 1, 1),)),
    )
    manifest = Manifest(
        **{"annotations": "a", "annotations_sha256": "", "images": "i", "categories": ()},
        **{"objectives": (), "pictures": 2, "counts": {}, "drops": {}},
    )
    rows = [Conversation("1.jpg", 4, 4, items), Conversation("2.jpg", 4, 4, items[1:])]
    write_dataset(tmp_path / "data", rows, manifest=manifest)
    corpus = count_words(tmp_path / "data")
    assert corpus.words["left"] == Count(samples=1, answers=1, occurrences=1)
    assert corpus.words["under"] == Count(samples=2, answers=2, occurrences=2)
    assert (corpus.samples, corpus.questions, corpus.answers) == (2, 3, 3)


def only(text: str, words: list[str], folder: Path) -> dict[str, int]:
    """What is found in one question."""
    path = written(folder / "a.jsonl", [{"prompt": text}])
    return {word: n.occurrences for word, n in count_words(path, words).words.items()}


def test_the_longer_word_alone(tmp_path: Path) -> None:
    found = only("On top\n of it, at the top. Topmost, stop.", ["top", "on top of"], tmp_path)
    assert found == {"top": 1, "on top of": 1}


def test_words_of_ones_own(tmp_path: Path) -> None:
    found = only("A U.S. flag; C++ (UxS.) nörd NÖRD norden", ["U.S.", "c++", " Nörd "], tmp_path)
    assert found == {"u.s.": 1, "c++": 1, "nörd": 2}


@given(st.lists(st.sampled_from(["dog", "cats", "cat", "-", ".", "behind"]), max_size=9))
def test_whole_words_and_no_others(said: list[str]) -> None:
    with TemporaryDirectory() as folder:
        found = only(" ".join(said), ["cat", "behind"], Path(folder))
    assert found == {word: said.count(word) for word in ("cat", "behind")}


@pytest.mark.parametrize(
    ("words", "message"),
    [([""], "one is empty"), (["Dog", "dog "], "'dog' comes twice"), ([], "there are none")],
)
def test_bad_words(words: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"--words: {message}"):
        count_words(written(tmp_path / "a.json", LLAVA), words)


def test_bad_corpora(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.json: cannot be read"):
        count_words(tmp_path / "none.json")
    with pytest.raises(InputError, match="no data set here"):
        count_words(tmp_path)
    with pytest.raises(InputError, match=r"a\.json, line 1: not a record with text"):
        count_words(written(tmp_path / "a.json", [{"question": "left?"}]))


def test_memory_does_not_grow_with_the_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_arrays, "CHUNK", 2**12)
    path = written(tmp_path / "a.json", LLAVA[:1] * 3_000)
    tracemalloc.start()
    try:
        assert count_words(path).samples == 3_000
        assert tracemalloc.get_traced_memory()[1] < path.stat().st_size / 4
    finally:
        tracemalloc.stop()


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.main(["inspect", *arguments])
    return code, *capsys.readouterr()


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(written(tmp_path / "a.json", LLAVA))
    code, out, _ = run(capsys, path, "--words")
    assert code == 0
    assert "a.json: 2 samples, 3 questions, 2 answers" in out
    [row] = [line for line in out.splitlines() if line.startswith("│ left  ")]
    assert row.split()[1:-1] == ["left", *"│1│", "50.00", "%", *"│1│1│2"]
    assert "left out, records without a question or an answer: 1" in out
    code, out, _ = run(capsys, path, "--words", "Dog", "in  front of", "--json")
    result = json.loads(out)
    assert (code, list(result["words"])) == (0, ["dog", "in front of"])
    assert result["words"]["dog"] == {
        **{"samples": 1, "questions": 1, "answers": 0, "occurrences": 1},
        "share": 0.5,
    }
    assert (result["samples"], result["data"]) == (2, path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --out, the folder of the drawings, or --words"),
        (["--json"], "give --out, the folder of the drawings, or --words"),
        (["--words", "--out", "o"], "leave --out out"),
    ],
)
def test_flags_that_do_not_fit(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, said = run(capsys, str(tmp_path), *arguments)
    assert code == 2
    assert message in said


def test_shares_of_nothing() -> None:
    assert Corpus({"left": Count()}).share("left") == 0
