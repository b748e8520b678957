import json
from pathlib import Path

import pytest
from PIL import Image

from locvlm import cli, coordinates
from locvlm.errors import InputError
from locvlm.evaluation import run_files
from locvlm.evaluation.reports.paired import compare_runs
from locvlm.evaluation.runner import evaluate
from locvlm.evaluation.suites.run import run_suite
from locvlm.evaluation.suites.suite import Entry
from locvlm.evaluation.task import Sources
from locvlm.geometry import Frame, Size
from locvlm.publishing.scores import read_scores
from tests.command_line import fails_with_one_line

QUESTIONS = [(10, 1, "Is it red?"), (11, 1, "What is it?"), (20, 2, "Where?"), (30, 3, "Why?")]


class Answers:
    """Says what was asked, behind a thought."""

    name, digest, at_once, frames = "echo", "echo", 32, None
    coordinates = coordinates.get("ivb", bins=224)
    decoding = {"method": "scripted"}  # noqa: RUF012

    def frame(self, size: Size) -> Frame:
        return Frame.pad_to_square(size, 224)

    def answer_all(self, asked):
        return [[f"<think>Hm.</think>{q.splitlines()[0]}" for q in qs] for _, qs in asked]


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """A test split of three pictures, of which one is missing."""
    rows = [{"question_id": n, "image_id": image, "question": text} for n, image, text in QUESTIONS]
    path = tmp_path / "v2_OpenEnded_mscoco_test2015_questions.json"
    path.write_text(json.dumps({"data_subtype": "test2015", "questions": rows}))
    images = tmp_path / "test2015"
    images.mkdir()
    for number in (1, 2):
        Image.new("RGB", (8, 8)).save(images / f"COCO_test2015_{number:012}.jpg")
    return Sources({"questions": path}, images)


def handed_in(folder: Path) -> dict[int, str]:
    rows = json.loads((folder / run_files.SUBMISSION).read_text())
    assert all(row.keys() == {"question_id", "answer"} for row in rows)
    return {row["question_id"]: row["answer"] for row in rows}


def test_every_question_is_answered(sources, tmp_path):
    out = tmp_path / "out"
    result = evaluate(Answers(), "vqav2", sources, out)
    assert handed_in(out) == {10: "Is it red?", 11: "What is it?", 20: "Where?", 30: ""}
    assert result["scores"] == {}
    assert result["submission"] == {
        "file": "submission.json",
        "answers": 3,
        "empty": 1,
        "server": "https://visualqa.org/challenge.html",
    }
    assert result["skipped"] == {"pictures whose file is missing": 1}
    assert "No scores: the true answers are not public" in (out / "report.md").read_text()
    assert not (out / run_files.SCORED).exists()


def test_a_limit_and_going_on(sources, tmp_path):
    out = tmp_path / "out"
    assert evaluate(Answers(), "vqav2", sources, out, limit=1)["submission"]["empty"] == 3
    assert handed_in(out) == {10: "", 11: "", 20: "Where?", 30: ""}
    assert evaluate(Answers(), "vqav2", sources, out)["submission"]["empty"] == 1


def test_an_unreadable_picture(sources, tmp_path):
    (tmp_path / "test2015/COCO_test2015_000000000002.jpg").write_bytes(b"no")
    result = evaluate(Answers(), "vqav2", sources, tmp_path / "out")
    assert handed_in(tmp_path / "out")[20] == ""
    assert result["skipped"]["pictures that cannot be read"] == 1


def test_a_split_with_public_answers_is_not_asked_without_them(sources, tmp_path):
    path = sources["questions"]
    path.write_text(path.read_text().replace("test2015", "val2014"))
    with pytest.raises(InputError, match="task vqav2 needs --annotations"):
        evaluate(Answers(), "vqav2", Sources(sources.files), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_there_is_nothing_to_compare_or_to_publish(sources, tmp_path):
    out = tmp_path / "out"
    evaluate(Answers(), "vqav2", sources, out)
    with pytest.raises(InputError, match="holds answers to hand in, and no scores"):
        compare_runs(out, out)
    with pytest.raises(InputError, match="holds no scores"):
        read_scores([out], ["echo"])


def test_a_suite_names_the_file(sources, tmp_path):
    name = sources["questions"].name
    published = {"accuracy": {"Someone": 50}}
    suite = [
        Entry("vqa", "vqav2", {"questions": name}, "test2015", published=published),
        Entry("again", "vqav2", {"questions": name}, "test2015"),
    ]
    done = run_suite(Answers(), suite, tmp_path, tmp_path / "out")
    assert done.absent == {}
    rows = (tmp_path / "out/suite.md").read_text().splitlines()
    told = "answers written to echo/{}/submission.json"
    assert f"| vqa | accuracy | {told.format('vqa')} | Someone 50 |" in rows
    assert f"| again | accuracy | {told.format('again')} | – |" in rows
    assert (tmp_path / "out/echo/vqa/submission.json").exists()


def test_the_commands(sources, tmp_path, capsys):
    files = ("vqav2", "--questions", str(sources["questions"]))
    asked, out = tmp_path / "asked.jsonl", tmp_path / "out"
    assert cli.main(["questions", *files, "--out", str(asked)]) == 0
    assert len(asked.read_text().splitlines()) == 4
    capsys.readouterr()
    model = ("--model", "tiny", "--images", str(sources.images), "--out", str(out))
    assert cli.main(["eval", "--task", *files, *model]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (
        lines[0]
        == f"nothing to score here: the true answers to {files[2].split('/')[-1]} are not public"
    )
    assert lines[1].startswith(f"{out / 'submission.json'}: 3 answers, to be handed in as https")
    assert "questions without an answer: 1; a server wants all" in lines[2]
    answers = str(out / "predictions.jsonl")
    line = fails_with_one_line(capsys, "score", *files, "--predictions", answers)
    assert "has no true answers" in line
