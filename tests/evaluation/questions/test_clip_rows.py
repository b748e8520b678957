"""The files of video QA as people pass them around: all of them give the same questions."""

import csv
import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.errors import InputError
from locvlm.evaluation import tasks
from locvlm.evaluation.questions.clip_rows import clip_names
from locvlm.evaluation.task import QuestionSet, Sources

Row = dict[str, Any]
OFFICIAL = [
    {"id": 1, "video_id": 7010, "question": "what runs?", "answer": "dog"},
    {"id": 2, "video_id": 7011, "question": "who sits?", "answer": "man"},
]


def renamed(rows: list[Row], **names: str) -> list[Row]:
    return [{names.get(key, key): value for key, value in row.items()} for row in rows]


def load(task: str, questions: Path, answers: Path | None = None, **more: Any) -> QuestionSet:
    files = {"questions": questions, **({"annotations": answers} if answers else {})}
    return tasks.load(task, Sources(files, **more), seed=0, options={})


def facts(asked: QuestionSet) -> list[tuple[str, str, str, str]]:
    return [(q.id, q.image, q.instruction.question, q.expected) for q in asked]


def written(path: Path, rows: list[Row]) -> Path:
    match path.suffix:
        case ".json":
            path.write_text(json.dumps(rows))
        case ".jsonl":
            path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        case ".pkl":
            path.write_bytes(pickle.dumps(rows))
        case ".csv" | ".tsv":
            text = io.StringIO()
            table = csv.DictWriter(text, rows[0], delimiter="," if path.suffix == ".csv" else "\t")
            table.writeheader()
            table.writerows(rows)
            path.write_text(text.getvalue())
    return path


CHANGES: dict[str, Callable[[list[Row]], list[Row]]] = {
    "official": lambda rows: rows,
    "text ids": lambda rows: [row | {"id": str(row["id"]), "video_id": "7010"} for row in rows[:1]],
    "with the prefix": lambda rows: [row | {"video_id": f"video{row['video_id']}"} for row in rows],
    "with its ending": lambda rows: renamed(
        [row | {"video_id": f"video{row['video_id']}.mp4"} for row in rows], video_id="video"
    ),
    "other names": lambda rows: renamed(rows, id="question_id", video_id="video_name"),
}


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "tsv", "pkl"])
@pytest.mark.parametrize("change", CHANGES)
def test_msrvtt_in_any_form(change: str, form: str, tmp_path: Path) -> None:
    expected = [
        ("1", "video7010.mp4", "what runs?", "dog"),
        ("2", "video7011.mp4", "who sits?", "man"),
    ]
    rows = CHANGES[change](OFFICIAL)
    asked = load("msrvtt-qa", written(tmp_path / f"q.{form}", rows))
    assert facts(asked) == expected[: len(rows)]


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "pkl"])
def test_a_pair_of_files(form: str, tmp_path: Path) -> None:
    questions = [
        {"question_id": f"v_{n}", "video_name": f"video{row['video_id']}", "question": "what?"}
        for n, row in enumerate(OFFICIAL)
    ]
    answers = [{"question_id": f"v_{n}", "answer": row["answer"]} for n, row in enumerate(OFFICIAL)]
    q, a = written(tmp_path / f"test_q.{form}", questions), tmp_path / f"test_a.{form}"
    written(a, [*answers, {"question_id": "x", "answer": "y"}])
    asked = load("msrvtt-qa", q, a)
    assert facts(asked) == [
        ("v_0", "video7010.mp4", "what?", "dog"),
        ("v_1", "video7011.mp4", "what?", "man"),
    ]
    assert asked.dropped == {"answers to no question": 1}
    with pytest.raises(InputError, match="test_a.json, as --annotations"):
        load("msrvtt-qa", q)


def test_rows_without_an_id_go_by_their_number(tmp_path: Path) -> None:
    rows = [{key: row[key] for key in ("video_id", "question", "answer")} for row in OFFICIAL]
    assert [q.id for q in load("msvd-qa", written(tmp_path / "q.csv", rows))] == ["0", "1"]


def test_a_clip_of_the_site_that_it_comes_from(tmp_path: Path) -> None:
    rows = [OFFICIAL[0] | {"video_id": "mv89psg6zh4_33_46"}]
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "mv89psg6zh4_33_46.avi").touch()
    asked = load("msvd-qa", written(tmp_path / "q.json", rows), videos=tmp_path / "clips")
    assert [q.image for q in asked] == ["mv89psg6zh4_33_46.avi"]


@pytest.mark.parametrize(
    ("named", "file"),
    [
        ("abc", "v_abc.mkv"),
        ("v_abc", "v_abc.mp4"),
        ("v_abc.mp4", "v_abc.webm"),
        ("abc", "abc.mp4"),
        ("v_0123456ab", "v_v_0123456ab.mp4"),
        ("v_0123456ab", "v_0123456ab.mp4"),
    ],
)
@pytest.mark.parametrize("kind", [3, "3", "yes-no", "Yes/No", "Y/N", "yes_no"])
def test_activitynet(named: str, file: str, kind: Any, tmp_path: Path) -> None:
    row = {"question_id": "v_abc_1", "video_name": named, "question": "is it?", "answer": "no"}
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / file).touch()
    path = written(tmp_path / "test.json", [row | {"type": kind}])
    [asked] = load("activitynet-qa", path, videos=tmp_path / "clips")
    assert (asked.image, asked.meta["type"]) == (file, "yes-no")


def test_a_type_that_is_none(tmp_path: Path) -> None:
    row = {"question_id": "1", "video_name": "a", "question": "is it?", "answer": "no"}
    path = written(tmp_path / "test.jsonl", [row | {"type": "x"}])
    with pytest.raises(InputError, match=r"line 1: type: 'x' is no type; give a number >= 0 and"):
        load("activitynet-qa", path)
    [asked] = load("activitynet-qa", written(tmp_path / "no.jsonl", [row]))
    assert asked.meta["type"] == "not given"


def test_tgif_as_a_pair_and_with_commas(tmp_path: Path) -> None:
    q = written(
        tmp_path / "test_q.json",
        [{"question_id": "1", "video_name": "tumblr_a.gif", "question": "what is it?"}],
    )
    a = written(tmp_path / "test_a.json", [{"question_id": "1", "answer": "cat", "type": "color"}])
    [asked] = load("tgif-qa", q, a)
    assert (asked.image, asked.expected) == ("tumblr_a.gif", "cat")
    assert asked.meta == {"kind": "frameqa", "type": "color"}
    written(a, [{"question_id": "1", "answer": "cat"}])
    [asked] = load("tgif-qa", q, a)
    assert asked.meta == {"kind": "frameqa", "type": "not given"}
    row = {"gif_name": "a", "question": "how often?", "answer": 3, "vid_id": "C1"}
    [asked] = load("tgif-qa", written(tmp_path / "q.csv", [row]))
    assert (asked.image, asked.expected, asked.meta["kind"]) == ("a.gif", "3", "count")
    [asked] = load("tgif-qa", written(tmp_path / "q.pkl", [row]))
    assert (asked.id, asked.image, asked.expected) == ("C1", "a.gif", "3")


def test_a_pickle_that_would_run_is_not_read(tmp_path: Path) -> None:
    class Runs:
        def __reduce__(self) -> tuple[Any, ...]:
            return print, ("it ran",)

    path = tmp_path / "q.pkl"
    path.write_bytes(pickle.dumps([Runs()]))
    with pytest.raises(InputError, match="more than plain data"):
        load("msvd-qa", path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("q.json", "<html>", "not a list of questions; give JSON, CSV or a pickle"),
        ("q.csv", "a;b\n1;2\n", "has no column question or answer"),
        ("q.csv", "video_id,question,answer\n1,,x\n", "text of length >= 1 - at line 2"),
        ("q.json", '[{"question": "q", "answer": "a"}]', r"field `video_id` - at `\$\[0\]`"),
        ("q.jsonl", '{"question": "q"}\n', "no required field `video_id` - at line 1"),
    ],
)
def test_what_is_none_of_the_forms(name: str, text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        load("msvd-qa", path)
    assert str(caught.value).startswith(str(path))


@given(st.text("av_id0./", max_size=12), st.sampled_from(["v_", "video", ""]))
def test_the_first_name_stays_the_first(clip: str, prefix: str) -> None:
    """A question that was made under a name finds the same file again."""
    names = clip_names(clip, prefix, ".mp4")
    if names:
        assert names[0] in clip_names(names[0], prefix, ".mp4")


@pytest.mark.parametrize("name", ["a.webp", "a.png", "a"])
def test_an_animation_that_is_no_gif(name: str, tmp_path: Path) -> None:
    """As it is named, or found in the place of a GIF."""
    questions = tmp_path / "q.csv"
    questions.write_text(f"gif_name\tquestion\tanswer\ttype\tvid_id\n{name}\tWhat?\tcat\t0\t1\n")
    there = name if "." in name else "a.webp"
    (tmp_path / there).write_bytes(b"")
    [item] = tasks.load(
        "tgif-qa", Sources({"questions": questions}, videos=tmp_path), seed=0, options={}
    )
    assert item.image == there


ROW = {"question": "What?", "answer": "cat", "video_id": "video7010"}


@pytest.mark.parametrize(
    "form",
    [
        {"5": ROW},
        {"info": "of somebody", "questions": [ROW]},
        {"annotations": [{**ROW, "answer": ["cat"]}]},
        {name: [value] for name, value in ROW.items()},
        [{"video": "videos/all/video7010.mp4", "Q": "What?", "A": "cat"}],
    ],
    ids=["by id", "questions", "annotations", "columns", "Q and A, with folders"],
)
def test_rows_in_an_object(form: Any, tmp_path: Path) -> None:
    questions = tmp_path / "q.json"
    questions.write_text(json.dumps(form))
    (tmp_path / "video7010.mp4").write_bytes(b"")
    [item] = tasks.load(
        "msrvtt-qa", Sources({"questions": questions}, videos=tmp_path), seed=0, options={}
    )
    assert (item.id, item.image, item.expected) == (
        "5" if "5" in form else "0",
        "video7010.mp4",
        "cat",
    )
