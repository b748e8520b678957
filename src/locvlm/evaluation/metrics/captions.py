"""METEOR, CIDEr, BLEU and ROUGE-L of descriptions, by the COCO caption evaluation.

Every figure is pycocoevalcap's (arXiv 1504.00325), Stanford's tokenizer included, without which it
would compare to nobody's. Tokenizer and METEOR are Java programs that come with that package.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from locvlm.errors import InputError
from locvlm.evaluation.intervals import EDGES, RESAMPLES, Score, mean, scaled_mean
from locvlm.io.reading import one_line, quote

if TYPE_CHECKING:
    from pycocoevalcap.meteor.meteor import Meteor

Pair: TypeAlias = tuple[str, Sequence[str]]  # a description, and people's of the same thing
_Corpus: TypeAlias = dict[int, list[str]]  # tokens with spaces between, as pycocoevalcap has them

NAMES = ("METEOR", "CIDEr", "BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L")
_TOP = 10.0  # the best CIDEr there is
_ORDER = 4  # longest n-gram of BLEU


@dataclass(frozen=True)
class _Statistics:
    """What the figures of a corpus are computed from; one row per pair."""

    meteor: NDArray[np.float64]  # (n, 23), METEOR's statistics
    bleu: NDArray[np.float64]  # (n, 10), as `bleu_of` takes their sum
    cider: NDArray[np.float64]  # (n,)
    rouge: NDArray[np.float64]  # (n,)


def scores(corpora: Mapping[str, Sequence[Pair]], *, seed: int) -> dict[str, Score]:
    """``{corpus}/{metric}`` for each corpus of at least one pair, in the order of `NAMES`.

    METEOR, BLEU and ROUGE-L lie in 0 … 1, CIDEr in 0 … 10. METEOR and BLEU are of the whole
    corpus, the others means over the pairs; CIDEr weighs words by their rarity among the corpus's
    references. The 95 % intervals are percentile bootstraps over the pairs, by `seed`: of BLEU's
    counts, of the pairs' own CIDEr and ROUGE-L, and of the pairs' own METEOR about the corpus's.

    Raises:
        InputError: pycocoevalcap or Java is not there, or Java fails.
    """
    if not corpora:
        return {}
    check_installed()
    meteor = _start_meteor()
    found: dict[str, Score] = {}
    for corpus, pairs in corpora.items():
        answers = _tokenize([[text] for text, _ in pairs])
        references = _tokenize([people for _, people in pairs])
        one = {
            "METEOR": _meteor(meteor, answers, references, seed),
            "CIDEr": _cider(answers, references, seed),
            **_bleu(answers, references, seed),
            "ROUGE-L": _rouge(answers, references, seed),
        }
        found |= {f"{corpus}/{name}": one[name] for name in NAMES}
    return found


def resample_scores(
    runs: Sequence[Mapping[str, Sequence[Pair]]], counts: Mapping[str, NDArray[np.int64]]
) -> dict[str, NDArray[np.float64]]:
    """The figures of draws from corpora that several runs described, named as in `scores`.

    METEOR and BLEU are exactly those of the drawn pairs together. In CIDEr words keep their weights
    in the whole corpus, as in the intervals of `scores`.

    Args:
        runs: each run's corpora, the same N pairs in each run but for the descriptions.
        counts: of each corpus (D, N): how often each pair is in each draw.

    Returns:
        arrays (R, D); nan where none of the corpus was drawn.

    Raises:
        InputError: as `scores`.
    """
    check_installed()
    meteor = _start_meteor()
    found: dict[str, NDArray[np.float64]] = {}
    for corpus, drawn_pairs in counts.items():
        each = [_combine(meteor, _measure(meteor, run[corpus]), drawn_pairs) for run in runs]
        found |= {f"{corpus}/{name}": np.array([one[name] for one in each]) for name in NAMES}
    return found


def _measure(meteor: Meteor, pairs: Sequence[Pair]) -> _Statistics:
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    answers = _tokenize([[text] for text, _ in pairs])
    references = _tokenize([people for _, people in pairs])
    with _report_meteor_exit(meteor):
        lines = [meteor._stat(answers[row][0], references[row]) for row in answers]
        statistics = np.array([line.split() for line in lines], np.float64)
    written, there, chunks, right, met = statistics[:, [0, 1, 20, 21, 22]].T
    # A pair that is right from end to end is in one chunk, and none where METEOR adds pairs up
    statistics[(chunks == 1) & (written == right) & (there == met), 20] = 0
    _, cider = Cider().compute_score(references, answers)
    _, rouge = Rouge().compute_score(references, answers)
    _, bleu = _bleu_counts(answers, references)
    return _Statistics(statistics, bleu, np.asarray(cider), np.asarray(rouge))


def _combine(
    meteor: Meteor, measured: _Statistics, counts: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Of one run, (D,) each."""
    sizes = np.where((n := counts.sum(axis=1)) > 0, n, np.nan)
    bleu = np.array([bleu_of(total) for total in counts @ measured.bleu]) + 0 * sizes[:, None]
    return {
        "METEOR": _combine_meteor(meteor, counts @ measured.meteor) + 0 * sizes,
        "CIDEr": counts @ measured.cider / sizes,
        **{f"BLEU-{order}": bleu[:, order - 1] for order in range(1, _ORDER + 1)},
        "ROUGE-L": counts @ measured.rouge / sizes,
    }


def _combine_meteor(meteor: Meteor, sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """METEOR of summed statistics, (D, 23) -> (D,): its program takes each sum for a pair's."""
    each = (" ".join(f"{value:.17g}" for value in row) for row in sums)
    with _report_meteor_exit(meteor):
        meteor.meteor_p.stdin.write(f"EVAL ||| {' ||| '.join(each)}\n".encode())
        meteor.meteor_p.stdin.flush()
        values = [float(meteor.meteor_p.stdout.readline()) for _ in sums]
        meteor.meteor_p.stdout.readline()  # that of all draws together
    return np.array(values)


def check_installed() -> None:
    """Raise InputError where pycocoevalcap or Java is missing."""
    names = "METEOR, CIDEr, BLEU and ROUGE-L"
    try:
        import pycocoevalcap  # noqa: F401
    except ImportError:
        raise InputError(
            f"{names} need pycocoevalcap: pip install 'locvlm[captions]', then score the answers"
        ) from None
    if shutil.which("java") is None:
        raise InputError(
            f"{names} need Java for their tokenizer: install a Java runtime, such as Debian's "
            "default-jre-headless, then score the answers"
        )


def _tokenize(sentences: Sequence[Sequence[str]]) -> _Corpus:
    """The sentences in lower case, words and marks apart, most punctuation gone.

    All in one go, answers and references apart, as pycocoevalcap does it: the tokenizer looks
    beyond the end of a line to tell ``in.`` from the end of a sentence.
    """
    from pycocoevalcap.tokenizer import ptbtokenizer

    jar = Path(ptbtokenizer.__file__).parent / ptbtokenizer.STANFORD_CORENLP_3_4_1_JAR
    tokenizer = "edu.stanford.nlp.process.PTBTokenizer"
    command = ["java", "-cp", str(jar), tokenizer, "-preserveLines", "-lowerCase"]
    flat = [one_line(text) for group in sentences for text in group]  # or all that follow move
    done = subprocess.run(command, input="\n".join(flat).encode(), capture_output=True, check=False)
    lines = done.stdout.decode().replace("\r\n", "\n").split("\n")
    if done.returncode or len(lines) != len(flat):
        message = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise InputError(f"java cannot run {jar}: {quote(message)}; check that java -version works")
    left_out = set(ptbtokenizer.PUNCTUATIONS)
    tokens = (" ".join(w for w in line.rstrip().split(" ") if w not in left_out) for line in lines)
    return {row: [next(tokens) for _ in group] for row, group in enumerate(sentences)}


def _start_meteor() -> Meteor:
    """METEOR's program, which reads its paraphrases for many seconds first: one for all corpora."""
    from pycocoevalcap.meteor.meteor import Meteor

    return Meteor()


@contextmanager
def _report_meteor_exit(meteor: Meteor) -> Iterator[None]:
    """Raises InputError where METEOR's program ends meanwhile."""
    try:
        yield
    except (OSError, ValueError) as error:
        # It may be locked, and would wait for itself when it is thrown away; or complain then.
        if meteor.lock.locked():
            meteor.lock.release()
        with suppress(OSError):
            meteor.meteor_p.stdin.close()
        raise InputError(
            f"METEOR's Java program ended ({error}); it takes 2 GB of memory"
        ) from None


def _meteor(meteor: Meteor, answers: _Corpus, references: _Corpus, seed: int) -> Score:
    """That of the corpus is no mean of the pairs': their bootstrap is moved to it."""
    with _report_meteor_exit(meteor):
        value, each = meteor.compute_score(references, answers)
    spread = mean(each, seed=seed)
    if spread.value is None or len(each) == 1:
        return Score(value, 0.0, 1.0, len(each), "mean")
    low, high = spread.low - spread.value + value, spread.high - spread.value + value
    return Score(value, max(0.0, low), min(1.0, high), len(each), "mean")


def _cider(answers: _Corpus, references: _Corpus, seed: int) -> Score:
    from pycocoevalcap.cider.cider import Cider

    value, each = Cider().compute_score(references, answers)
    return replace(scaled_mean(each, _TOP, seed=seed), value=float(value), kind="points")


def _rouge(answers: _Corpus, references: _Corpus, seed: int) -> Score:
    from pycocoevalcap.rouge.rouge import Rouge

    _, each = Rouge().compute_score(references, answers)
    return mean(each, seed=seed)


def _bleu(answers: _Corpus, references: _Corpus, seed: int) -> dict[str, Score]:
    values, counts = _bleu_counts(answers, references)
    lows, highs = _bleu_edges(counts, seed)
    return {
        f"BLEU-{order}": Score(value, min(low, value), max(high, value), len(counts), "mean")
        for order, (value, low, high) in enumerate(zip(values, lows, highs, strict=True), 1)
    }


def _bleu_counts(answers: _Corpus, references: _Corpus) -> tuple[list[float], NDArray[np.float64]]:
    """BLEU-1 … 4 of the corpus, and the (n, 10) counts of its pairs."""
    from pycocoevalcap.bleu.bleu_scorer import BleuScorer

    scorer = BleuScorer(n=_ORDER)
    for row, (answer,) in answers.items():
        scorer += (answer, references[row])
    values, _ = scorer.compute_score(option="closest", verbose=0)
    return values, np.array([_counts(item) for item in scorer.ctest], np.float64)


def _bleu_edges(counts: NDArray[np.float64], seed: int) -> list[list[float]]:
    """The lower and the upper edges for BLEU-1 … 4; one pair says nothing of its spread."""
    n = len(counts)
    if n == 1:
        return [[0.0] * _ORDER, [1.0] * _ORDER]
    rng = np.random.default_rng(seed)
    resampled = [bleu_of(counts[rng.integers(n, size=n)].sum(axis=0)) for _ in range(RESAMPLES)]
    edges: list[list[float]] = np.percentile(resampled, EDGES, axis=0).tolist()
    return edges


def _counts(item: Mapping[str, Any]) -> list[int]:
    """Of one pair: n-grams said, those of them that are right, both lengths (10 numbers)."""
    length = item["testlen"]
    closest = min(item["reflen"], key=lambda other: (abs(other - length), other))
    return [*item["guess"], *item["correct"], length, closest]


def bleu_of(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """BLEU-1 … 4 (Papineni et al., 2002) of summed counts, (10,) -> (4,).

    The n-grams that were said, 4, those of them that are right, 4, and the lengths of answers and
    references.

    >>> bleu_of(np.array([4, 3, 2, 1, 4, 3, 2, 1, 4, 4])).round(6)
    array([1., 1., 1., 1.])
    """
    tiny, small = 1e-15, 1e-9  # pycocoevalcap's: of no n-grams a millionth is right
    written, right, (length, reference) = counts[:_ORDER], counts[_ORDER:-2], counts[-2:]
    precisions = np.cumprod((right + tiny) / (written + small))
    brevity = np.exp(min(0.0, 1 - (reference + small) / (length + tiny)))
    return np.asarray(brevity * precisions ** (1 / np.arange(1, _ORDER + 1)))
