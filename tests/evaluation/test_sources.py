from pathlib import Path

import pytest

from locvlm.errors import InputError
from locvlm.evaluation import tasks
from locvlm.evaluation.sources import Sources, check


def test_files_that_a_task_needs() -> None:
    with pytest.raises(InputError, match="task locate needs --annotations: detection annotations"):
        check(tasks.get("locate"), Sources())
    both = Sources({"annotations": Path("a"), "questions": Path("b")})
    with pytest.raises(InputError, match="locate takes no --questions; it takes --annotations"):
        check(tasks.get("locate"), both)


def test_no_pictures_for_clips() -> None:
    clips = Sources({"questions": Path("q")}, images=Path("images"))
    with pytest.raises(InputError, match="msvd-qa is about clips; it takes no --images"):
        check(tasks.get("msvd-qa"), clips)


def test_digests(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("")
    found = Sources({"annotations": tmp_path / "a.json", "questions": tmp_path}).digests()
    assert found["annotations"]["file"] == "a.json"
    assert found["annotations"]["sha256"].startswith("e3b0c442")
    assert found["questions"] == {"file": tmp_path.name}
