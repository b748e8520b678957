import shutil
import stat
import sys
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.errors import InputError
from locvlm.evaluation.metrics import captions

JAVA = shutil.which("java")
needs_java = pytest.mark.skipif(JAVA is None, reason="needs Java")

PAIRS = [
    ("There is a black dog.", ["the black dog", "dog on the left", "black dog"]),
    ("There is a man.", ["Woman's red hat!"]),
    ("", ["zebra – the “left” one", "zebra"]),
    ("a zebra next to\u2028another\nzebra", ["zebra to the left of the other zebra"]),
    ("the CAFÉ ||| table", ["café table", "?"]),
    ("There is a tie of 3 in.", ["the tie of a man No.", "tie in St."]),
    ("a cat", ["a cat", "Cat of Mr."]),
    ("", ["a last one without an answer", ""]),
]


def test_nothing_to_score_needs_no_java(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert captions.scores({}, seed=0) == {}


def refused() -> str:
    with pytest.raises(InputError) as caught:
        captions.scores({"val": PAIRS}, seed=0)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocoevalcap", None)
    assert "pip install 'locvlm[captions]'" in refused()
    monkeypatch.setitem(sys.modules, "pycocoevalcap", ModuleType("pycocoevalcap"))
    monkeypatch.setenv("PATH", "")
    assert "install a Java runtime" in refused()


def a_java(folder, monkeypatch, script):
    """Puts a program in the place of Java."""
    path = folder / "java"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_java_that_does_not_run(tmp_path, monkeypatch):
    pytest.importorskip("pycocoevalcap")
    a_java(tmp_path, monkeypatch, "echo 'Unable to locate a Java Runtime' >&2; exit 1")
    assert "Unable to locate a Java Runtime" in refused()


@needs_java
def test_meteor_that_does_not_run(tmp_path, monkeypatch):
    pytest.importorskip("pycocoevalcap")
    a_java(tmp_path, monkeypatch, f'test "$1" = -jar && exit 1\nexec {JAVA} "$@"')
    assert "METEOR's Java program ended" in refused()


def direct(pairs):
    """As pycocoevalcap's own users call it."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.meteor.meteor import Meteor
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    clean = [(" ".join(said.split()), people) for said, people in pairs]
    people = {row: [{"caption": text} for text in texts] for row, (_, texts) in enumerate(clean)}
    answers = {row: [{"caption": said}] for row, (said, _) in enumerate(clean)}
    gts, res = PTBTokenizer().tokenize(people), PTBTokenizer().tokenize(answers)
    bleu = Bleu(4).compute_score(gts, res, verbose=0)[0]
    return {
        "METEOR": Meteor().compute_score(gts, res)[0],
        "CIDEr": Cider().compute_score(gts, res)[0],
        **{f"BLEU-{order}": value for order, value in enumerate(bleu, 1)},
        "ROUGE-L": Rouge().compute_score(gts, res)[0],
    }


@needs_java
def test_the_figures_are_those_of_pycocoevalcap():
    pytest.importorskip("pycocoevalcap")
    found = captions.scores({"val": PAIRS, "test": PAIRS[:1]}, seed=0)
    assert list(found) == [
        f"{split}/{name}" for split in ("val", "test") for name in captions.NAMES
    ]
    for split, pairs in (("val", PAIRS), ("test", PAIRS[:1])):
        for name, value in direct(pairs).items():
            score = found[f"{split}/{name}"]
            assert score.value == pytest.approx(value, abs=1e-12), (split, name)
            assert score.n == len(pairs)
            top = 10 if name == "CIDEr" else 1
            assert 0 <= score.low <= score.value <= score.high <= top
            assert score.kind == ("points" if name == "CIDEr" else "mean")
    assert found["val/METEOR"].high < 1
    assert (found["test/BLEU-1"].low, found["test/BLEU-1"].high) == (0, 1)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([0, 0, 0, 0, 0, 0, 0, 0, 0, 5], [0, 0, 0, 0]),  # nothing said
        ([4, 3, 2, 1, 4, 3, 2, 1, 4, 4], [1, 1, 1, 1]),
        ([4, 3, 2, 1, 4, 3, 2, 1, 4, 2], [1, 1, 1, 1]),  # longer than the references
        (
            [2, 1, 0, 0, 2, 1, 0, 0, 2, 4],
            [np.exp(-1), np.exp(-1), 0.01 * np.exp(-1), 0.001 * np.exp(-1)],
        ),  # too short
        ([4, 3, 2, 1, 2, 1, 0, 0, 4, 4], [1 / 2, (1 / 6) ** (1 / 2), 0, 0]),
    ],
)
def test_bleu_by_hand(counts, expected):
    # Of no right n-gram pycocoevalcap counts a little, too.
    assert captions.bleu_of(np.array(counts, float)) == pytest.approx(expected, rel=1e-6, abs=1e-4)


words = st.lists(st.sampled_from("abc"), max_size=6).map(" ".join)


@given(st.lists(st.tuples(words, st.lists(words, min_size=1, max_size=3)), min_size=1, max_size=5))
def test_bleu_of_counts_is_that_of_pycocoevalcap(pairs):
    scorers = pytest.importorskip("pycocoevalcap.bleu.bleu_scorer")
    scorer = scorers.BleuScorer(n=4)
    for said, people in pairs:
        scorer += (said, people)
    value, _ = scorer.compute_score(option="closest", verbose=0)
    total = np.sum([captions._counts(item) for item in scorer.ctest], axis=0)
    assert captions.bleu_of(total.astype(float)) == pytest.approx(value, abs=1e-9)


@needs_java
def test_draws_are_what_their_pairs_give():
    """METEOR, BLEU and ROUGE-L of a draw are those of a corpus of the drawn pairs."""
    pytest.importorskip("pycocoevalcap")
    pairs = [(said, [text for text in people if text]) for said, people in PAIRS[:5]]
    counts = np.array([[1, 1, 1, 1, 1], [2, 0, 1, 0, 3], [0, 0, 0, 4, 1], [0, 0, 0, 0, 0]])
    drawn = captions.resample_scores([{"val": pairs}], {"val": counts})
    corpora = {
        str(draw): [pair for pair, times in zip(pairs, count, strict=True) for _ in range(times)]
        for draw, count in enumerate(counts[:3])
    }
    for name, score in captions.scores(corpora, seed=0).items():
        draw, _, metric = name.partition("/")
        if metric != "CIDEr" or draw == "0":  # of other draws its words weigh otherwise
            value = drawn[f"val/{metric}"][0, int(draw)]
            assert value == pytest.approx(score.value, abs=1e-12), name
    assert all(np.isnan(values[0, 3]) for values in drawn.values())
