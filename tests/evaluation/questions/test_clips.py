"""Which file is the clip that a question is about."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.errors import InputError
from locvlm.evaluation import tasks
from locvlm.evaluation.questions.clips import ClipFolder
from locvlm.evaluation.task import Sources
from locvlm.media.clips import CLIP_SUFFIXES

ROWS = [
    {"id": n, "video_id": clip, "question": "what?", "answer": "dog"}
    for n, clip in enumerate((1, 2, 1, 3))
]


def folder_of(path: Path, *names: str) -> Path:
    for name in names:
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return path


@pytest.mark.parametrize("suffix", sorted(CLIP_SUFFIXES))
def test_any_ending(suffix: str, tmp_path: Path) -> None:
    found = ClipFolder(folder_of(tmp_path, f"v_a{suffix}"))
    for name in ("v_a.mp4", "v_a.avi", "v_a"):
        assert found.find(name) == f"v_a{suffix}"
    assert not found.skipped


def test_its_own_ending_before_others(tmp_path: Path) -> None:
    found = ClipFolder(folder_of(tmp_path, "a.avi", "a.mp4", "a.webm", "b.c.mkv", "d.jpg"))
    assert found.find("a.webm") == "a.webm"
    assert found.find("b.c") == "b.c.mkv"  # what follows the dot is no ending
    assert found.find("d.mp4") is None


def test_each_missing_clip_counts_once(tmp_path: Path) -> None:
    found = ClipFolder(folder_of(tmp_path, "a.mp4"))
    assert [found.find(name) for name in ("b.mp4", "b.mp4", "a.mp4", "c.gif")] == [
        *(None, None, "a.mp4", None)
    ]
    assert found.skipped == {"clips whose file is missing": 2}
    found.check(Path("q.json"))


def test_none_there(tmp_path: Path) -> None:
    found = ClipFolder(folder_of(tmp_path, "z.mp4"))
    assert found.find("a.mp4") is None
    with pytest.raises(InputError, match=r"has none of the 1 clips of q\.json \(the first is a.mp"):
        found.check(Path("q.json"))
    with pytest.raises(InputError, match="no such folder of clips"):
        ClipFolder(tmp_path / "none")


@given(st.lists(st.text(max_size=5), max_size=3))
def test_without_a_folder_all_are_there(names: list[str]) -> None:
    found = ClipFolder(None)
    assert [found.find(name) for name in names] == names
    found.check(Path("q.json"))


def load(path: Path, rows: Any, videos: Path | None) -> Any:
    file = path / "test_qa.json"
    file.write_text(json.dumps(rows))
    return tasks.load("msvd-qa", Sources({"questions": file}, videos=videos), seed=0, options={})


def test_questions_about_clips_that_are_there(tmp_path: Path) -> None:
    asked = load(tmp_path, ROWS, folder_of(tmp_path / "clips", "vid1.mp4", "vid3.avi"))
    assert [(q.id, q.image) for q in asked] == [
        *(("0", "vid1.mp4"), ("2", "vid1.mp4"), ("3", "vid3.avi"))
    ]
    assert asked.skipped == {"clips whose file is missing": 1}
    assert len(load(tmp_path, ROWS, None)) == 4


def test_a_second_question_is_told_though_its_clip_is_missing(tmp_path: Path) -> None:
    clips = folder_of(tmp_path / "clips", "vid1.avi")
    with pytest.raises(InputError, match=r"\[4\].id: a second question '1'"):
        load(tmp_path, [*ROWS, ROWS[1]], clips)


def test_names_stay_in_the_folder(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text("gif_name\tquestion\tanswer\ttype\tvid_id\n../a\twhat ?\tdog\t0\tF1\n")
    with pytest.raises(InputError, match=r"line 2: the file name '\.\./a\.gif' does not stay"):
        tasks.load("tgif-qa", Sources({"questions": path}), seed=0, options={})
