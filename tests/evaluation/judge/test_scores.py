"""From a file of answers to figures with a judge's verdicts, and the command line of it."""

import json
from pathlib import Path

import pytest

from locvlm import cli
from locvlm.errors import InputError
from locvlm.evaluation.judge.judge import Judge
from locvlm.evaluation.judge.protocol import PROMPT
from locvlm.evaluation.run_files import EvaluationRun, read_json, read_scored
from locvlm.evaluation.samples import read_scored_samples
from locvlm.evaluation.scoring import score
from locvlm.evaluation.task import Sources
from locvlm.io.atomic import ensure_dir
from locvlm.io.digests import digest_bytes
from locvlm.io.json_rows import write_json
from locvlm.openai_client import Endpoint
from tests.chat_server import Answer, Request, serving

ROWS = [
    {"id": 1, "video_id": 1, "question": "what runs?", "answer": "dog"},
    {"id": 2, "video_id": 1, "question": "who runs?", "answer": "man"},
    {"id": 3, "video_id": 2, "question": "what flies?", "answer": "kite"},
    {"id": 4, "video_id": 2, "question": "how many are there?", "answer": "two"},
]
SAID = {"1": "puppy", "2": "a cat", "3": "kite", "4": "lots"}
REPLIES = {
    "puppy": "{'pred': 'yes', 'score': 4}",
    "a cat": "{'pred': 'no', 'score': 1}",
    "kite": "{'pred': 'yes', 'score': 5}",
    "lots": "who knows",
}


def by_answer(number: int, request: Request) -> Answer:
    (said,) = [said for said in REPLIES if f"Answer of the system: {said}\n" in request.prompt]
    return Answer(REPLIES[said])


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    (tmp_path / "test_qa.json").write_text(json.dumps(ROWS))
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(json.dumps({"id": i, "text": text}) + "\n" for i, text in SAID.items()))
    return path


def sources(answers: Path) -> Sources:
    return Sources({"questions": answers.with_name("test_qa.json")})


def test_verdicts_stand_beside_the_rule(answers: Path, tmp_path: Path) -> None:
    with serving(by_answer) as server:
        judge = Judge(Endpoint(server.url, "m", "secret"))
        result = score("msvd-qa", answers, sources(answers), tmp_path / "out", judge=judge)
        assert result["scores"]["accuracy"]["value"] == 0.25  # as without a judge
        found = {
            name: (s["value"] if s["value"] is None else pytest.approx(s["value"]), s["n"])
            for name, s in result["scores"].items()
            if name.startswith("judge")
        }
        assert found == {
            "judge/accuracy": (2 / 3, 3),
            "judge/score": (10 / 3, 3),
            "judge/readable": (3 / 4, 4),
            "judge accuracy/what": (1, 2),
            "judge accuracy/who": (0, 1),
            "judge accuracy/how": (None, 0),
            "judge score/what": (4.5, 2),
            "judge score/who": (1, 1),
            "judge score/how": (None, 0),
        }
        mean = result["scores"]["judge/score"]
        assert 0 <= mean["low"] < mean["value"] < mean["high"] <= 5
        assert result["judge"] == {
            "url": f"{server.url}/chat/completions",
            "model": "m",
            "settings": {"temperature": 0},
            "prompt": PROMPT,
            "prompt_sha256": digest_bytes(PROMPT.encode()),
            "verdicts": 3,
            "unreadable": 1,
            "requests": 5,
        }
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(b"secret" in path.read_bytes() for path in written)
    assert (tmp_path / "answers-judge.jsonl") in written
    assert read_json(tmp_path / "out" / "scores.json", dict)["judge"]["unreadable"] == 1
    assert "Judge: m, 3 verdicts, 1 unreadable" in (tmp_path / "out" / "report.md").read_text()
    values = {row.id: row.values for row in read_scored(tmp_path / "out")}
    assert values["1"] == {"verbatim": False, "judge match": True, "judge score": 4.0}
    assert values["4"] == {"verbatim": False}


def test_all_samples_are_judged_at_once(answers: Path, tmp_path: Path) -> None:
    """A budget is for all of them, and what was said in two samples is judged once."""
    folder = ensure_dir(tmp_path / "run")
    (folder / "predictions.jsonl").write_bytes(answers.read_bytes())
    said = {**SAID, "1": "a cat", "3": "puppy"}
    rows = [json.dumps({"id": i, "text": text}) + "\n" for i, text in said.items()]
    (folder / "predictions-2.jsonl").write_text("".join(rows))
    decoding = {"method": "multinomial", "temperature": 0.2, "seed": 0, "samples": 2}
    run = EvaluationRun("msvd-qa", "m", {}, decoding, 0, {}, "")
    write_json(folder / "run.json", run)
    with serving(by_answer) as server:
        given = ("msvd-qa", folder / "predictions.jsonl", sources(answers), tmp_path / "out")
        judge = Judge(Endpoint(server.url, "m", "secret"), budget=7)
        result = score(*given, judge=judge)  # of the six cases, "lots" is asked about twice
        assert (result["judge"]["requests"], result["judge"]["verdicts"]) == (7, 6)
        assert score(*given, judge=judge)["judge"]["requests"] == 0
    accuracy = result["scores"]["judge/accuracy"]
    assert accuracy["value"] == pytest.approx((2 / 3 + 1 / 3) / 2)
    assert accuracy["sd"] == pytest.approx(2**0.5 / 6)
    assert accuracy["n"] == 3
    second = read_scored_samples(tmp_path / "out")[1]
    assert [row.values.get("judge match") for row in second] == [False, False, True, None]


def test_no_judge_leaves_no_trace(answers: Path) -> None:
    result = score("msvd-qa", answers, sources(answers))
    assert "judge" not in result
    assert not any(name.startswith("judge") for name in result["scores"])
    assert sorted(path.name for path in answers.parent.iterdir()) == [
        "answers.jsonl",
        "test_qa.json",
    ]


def test_a_task_without_free_answers(answers: Path) -> None:
    judge = Judge(Endpoint("http://127.0.0.1:9", "m"))
    with pytest.raises(InputError, match="task hal-coco has no free answers to judge"):
        score("hal-coco", answers, Sources({"annotations": answers}), judge=judge)


def test_counts_are_not_judged(tmp_path: Path) -> None:
    questions, answers = tmp_path / "count.csv", tmp_path / "a.jsonl"
    questions.write_text("gif_name\tquestion\tanswer\tvid_id\nx\tHow often ?\t3\tCOUNT1\n")
    answers.write_text('{"id": "COUNT1", "text": "3"}\n')
    judge = Judge(Endpoint("http://127.0.0.1:9", "m"))
    with pytest.raises(InputError, match="these answers to tgif-qa are not free ones"):
        score("tgif-qa", answers, Sources({"questions": questions}), judge=judge)


# The command line


def arguments(answers: Path, *more: str) -> list[str]:
    files = ["--predictions", str(answers), "--questions", str(answers.with_name("test_qa.json"))]
    return ["score", "msvd-qa", *files, *more]


def test_flags(
    answers: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "other")
    monkeypatch.setenv("LOCVLM_JUDGE_KEY", " mine\n")
    prompt = answers.with_name("prompt.txt")
    prompt.write_text("{question} {answer}\nAnswer of the system: {prediction}\n")
    with serving(by_answer) as server:
        flags = ["--judge", server.url, "--judge-model", "m", "--judge-prompt", str(prompt)]
        flags += ["--judge-setting", "max_tokens=30", "--judge-parallel", "2", "--json"]
        assert cli.main(arguments(answers, *flags)) == 0
        assert {request.headers["Authorization"] for request in server.requests} == {"Bearer mine"}
        assert {request.body["max_tokens"] for request in server.requests} == {30}
    result = json.loads(capsys.readouterr().out)
    assert result["judge"]["settings"] == {"temperature": 0, "max_tokens": 30}
    assert result["judge"]["prompt"] == prompt.read_text()
    assert result["judge"]["prompt_sha256"] == digest_bytes(prompt.read_bytes())
    assert result["scores"]["judge/accuracy"]["n"] == 3


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--judge", "http://127.0.0.1:9"], "by --judge URL and --judge-model NAME together"),
        (["--judge-model", "m"], "by --judge URL and --judge-model NAME together"),
        (["--judge-budget", "3"], "by --judge URL and --judge-model NAME together"),
        (["--judge-parallel", "3"], "by --judge URL and --judge-model NAME together"),
        (["--judge", "nowhere", "--judge-model", "m"], "--judge 'nowhere': not the URL"),
        (["--judge", "http://a", "--judge-model", "m", "--judge-parallel", "0"], "at least 1"),
        (["--judge", "http://a", "--judge-model", "m", "--judge-budget", "0"], "4 verdicts are"),
        (["--images", "."], "task msvd-qa is about clips; give their folder as --videos"),
    ],
)
def test_bad_flags(
    answers: Path, flags: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments(answers, *flags)) == 2
    said = capsys.readouterr().err
    (error,) = [text for text in said.splitlines() if text.startswith("locvlm: error: ")]
    assert line in error
