from pathlib import Path

import pytest

from locvlm.errors import InputError
from locvlm.evaluation import tasks
from locvlm.evaluation.sources import check_sources
from locvlm.evaluation.task import Sources


def test_files_that_a_task_needs() -> None:
    with pytest.raises(InputError, match="task locate needs --annotations: detection annotations"):
        check_sources(tasks.get("locate"), Sources())
    both = Sources({"annotations": Path("a"), "questions": Path("b")})
    with pytest.raises(InputError, match="locate takes no --questions; it takes --annotations"):
        check_sources(tasks.get("locate"), both)


def test_pictures_are_no_clips() -> None:
    pictures = Sources({"questions": Path("q")}, images=Path("seen"))
    clips = Sources({"questions": Path("q")}, videos=Path("seen"))
    with pytest.raises(InputError, match="msvd-qa is about clips; give their folder as --videos"):
        check_sources(tasks.get("msvd-qa"), pictures)
    with pytest.raises(InputError, match="pope is about pictures; give their folder as --images"):
        check_sources(tasks.get("pope"), clips)
    for task, sources in (("msvd-qa", clips), ("pope", pictures)):
        check_sources(tasks.get(task), sources)
        assert sources.media_folder(tasks.get(task)) == Path("seen")
    assert clips.media_folder(tasks.get("pope")) is None


def test_digests(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("")
    found = Sources({"annotations": tmp_path / "a.json", "questions": tmp_path}).digests()
    assert found["annotations"]["file"] == "a.json"
    assert found["annotations"]["sha256"].startswith("e3b0c442")
    assert found["questions"] == {"file": tmp_path.name}
