import re
from collections import Counter
from pathlib import Path

import pytest

from locvlm.errors import InputError
from locvlm.evaluation.judge.judge import Judge, judge_all
from locvlm.evaluation.judge.protocol import Case, Verdict
from locvlm.openai_client import Endpoint
from tests.chat_server import Answer, Request, serving

YES, NO = "{'pred': 'yes', 'score': 5}", "{'pred': 'no', 'score': 1}"
CASES = [Case(f"what {n}?", "dog", "dog" if n % 3 else "cat") for n in range(20)]
VERDICTS = [Verdict(True, 5) if n % 3 else Verdict(False, 1) for n in range(20)]


def same(number: int, request: Request) -> Answer:
    """A judge that compares letter by letter."""
    truth, said = re.findall(r"nswer(?: of the system)?: (.*)", request.prompt)
    return Answer(YES if truth == said else NO)


def judge(url: str, **how: object) -> Judge:
    return Judge(Endpoint(url, "m", pause=0.001), **how)


def test_no_cases(tmp_path: Path) -> None:
    result = judge_all(judge("http://127.0.0.1:9"), [], tmp_path / "c.jsonl")
    assert (result.verdicts, result.requests) == ([], 0)


@pytest.mark.parametrize("parallel", [1, 7])
def test_each_case_has_its_verdict(tmp_path: Path, parallel: int) -> None:
    with serving(same) as server:
        result = judge_all(judge(server.url, parallel=parallel), CASES, tmp_path / "c.jsonl")
    assert result.verdicts == VERDICTS
    assert result.requests == len(server.requests) == len(CASES)


def test_several_at_a_time(tmp_path: Path) -> None:
    with serving(lambda number, request: Answer(YES, wait=0.1)) as server:
        judge_all(judge(server.url, parallel=3), CASES[:9], tmp_path / "c.jsonl")
    assert 1 < server.most_at_once <= 3


def test_nothing_is_asked_twice(tmp_path: Path) -> None:
    with serving(same) as server:
        twice = [*CASES, *CASES]
        result = judge_all(judge(server.url), twice, tmp_path / "c.jsonl")
        assert result.verdicts == [*VERDICTS, *VERDICTS]
        assert len(server.requests) == len(CASES)
        again = judge_all(judge(server.url, budget=0), CASES, tmp_path / "c.jsonl")
        assert (again.verdicts, again.requests) == (VERDICTS, 0)
        assert len(server.requests) == len(CASES)


@pytest.mark.parametrize(
    "other",
    [
        {"model": "another"},
        {"settings": {"temperature": 1}},
        {"prompt": "{question}\nCorrect answer: {answer}\nAnswer of the system: {prediction}"},
    ],
)
def test_another_judge_is_asked_anew(tmp_path: Path, other: dict[str, object]) -> None:
    with serving(same) as server:
        judge_all(judge(server.url), CASES[:2], tmp_path / "c.jsonl")
        prompt = {"prompt": other.pop("prompt")} if "prompt" in other else {}
        second = Judge(Endpoint(server.url, **{"model": "m", **other}), **prompt)
        assert judge_all(second, CASES[:2], tmp_path / "c.jsonl").requests == 2
        assert len(server.requests) == 4


def test_asked_again_once_where_it_cannot_be_read(tmp_path: Path) -> None:
    with serving(lambda number, request: Answer("I think yes" if number == 0 else YES)) as server:
        result = judge_all(judge(server.url), CASES[:1], tmp_path / "c.jsonl")
        assert (result.verdicts, result.requests) == ([Verdict(True, 5)], 2)
    with serving(lambda number, request: Answer("")) as server:
        for requests in (2, 0):
            result = judge_all(judge(server.url), CASES[1:2], tmp_path / "c.jsonl")
            assert (result.verdicts, result.requests) == ([None], requests)


def test_what_a_content_filter_keeps_back_is_no_verdict(tmp_path: Path) -> None:
    filtered = Answer(b'{"error": {"code": "content_filter"}}', 400)
    with serving(lambda number, request: filtered) as server:
        result = judge_all(judge(server.url), CASES[:1], tmp_path / "c.jsonl")
    assert (result.verdicts, result.requests) == ([None], 2)


def test_a_used_up_budget_keeps_what_there_is(tmp_path: Path) -> None:
    with serving(same) as server:
        for missing in (13, 6):
            line = f"--judge-budget 7 is used up, and {missing} verdicts are still missing"
            with pytest.raises(InputError, match=line):
                judge_all(judge(server.url, budget=7), CASES, tmp_path / "c.jsonl")
        result = judge_all(judge(server.url, budget=7), CASES, tmp_path / "c.jsonl")
    assert (result.verdicts, result.requests) == (VERDICTS, 6)


def test_a_failure_keeps_what_there_is(tmp_path: Path) -> None:
    def script(number: int, request: Request) -> Answer:
        return same(number, request) if number < 5 else Answer(b"", 401)

    with serving(script) as server:
        with pytest.raises(InputError, match="HTTP 401"):
            judge_all(judge(server.url, parallel=3), CASES, tmp_path / "c.jsonl")
        assert len(server.requests) <= 8
    with serving(same) as server:
        result = judge_all(judge(server.url), CASES, tmp_path / "c.jsonl")
    assert (result.verdicts, result.requests) == (VERDICTS, 15)


def test_a_bad_day_of_the_server(tmp_path: Path) -> None:
    bad = (Answer(b"", 429), Answer(b"", 500), Answer(b"{"), Answer("half", cut=True))
    tries: Counter[str] = Counter()

    def script(number: int, request: Request) -> Answer:
        """The first two tries of each case fail, whichever thread comes first."""
        tries[request.prompt] += 1
        return same(number, request) if tries[request.prompt] > 2 else bad[number % 4]

    with serving(script) as server:
        result = judge_all(judge(server.url, parallel=4), CASES, tmp_path / "c.jsonl")
    assert result.verdicts == VERDICTS
    assert result.requests == len(server.requests) == 3 * len(CASES)


@pytest.mark.parametrize("how", [{"parallel": 0}, {"budget": -1}])
def test_numbers_out_of_range(how: dict[str, int]) -> None:
    with pytest.raises(InputError, match=f"--judge-{next(iter(how))} must be"):
        judge("http://localhost", **how)
