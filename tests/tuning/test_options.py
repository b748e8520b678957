"""What was asked for, in the words that ask for it again."""

from pathlib import Path

import pytest

from locvlm.errors import InputError
from locvlm.tuning.command_lines import format_line
from locvlm.tuning.options import TuneOptions, absolute_text
from locvlm.tuning.state import TuneState, open_state, read_minutes


def test_defaults_are_not_repeated() -> None:
    assert TuneOptions(annotations="/a.json").words() == [Path("/a.json")]


def test_the_line_is_what_was_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = TuneOptions(
        annotations=absolute_text(Path("my shop/data.yaml")),
        images=absolute_text(Path("my shop")),
        minutes=5,
        objectives=("locpred", "revloc"),
        settings=("seed=1", "flip=false"),
        hold_out=0.25,
    )
    assert format_line("tune", *options.words(), "--out", tmp_path / "run") == (
        "locvlm tune 'my shop/data.yaml' --images 'my shop' --hold-out 0.25 --set seed=1 "
        "--set flip=false --objectives locpred,revloc --minutes 5 --out run"
    )


class TestFolder:
    OPTIONS = TuneOptions(annotations="/a.json", minutes=3)

    def test_a_new_one(self, tmp_path: Path) -> None:
        assert open_state(tmp_path / "new", self.OPTIONS) == TuneState(self.OPTIONS)
        assert not (tmp_path / "new").exists()
        assert read_minutes(tmp_path / "new") is None

    def test_one_that_goes_on(self, tmp_path: Path) -> None:
        state = TuneState(self.OPTIONS, {"visit": 2.5})
        state.write(tmp_path)
        assert open_state(tmp_path, self.OPTIONS) == state
        assert read_minutes(tmp_path) == 3

    def test_one_with_other_options_says_which(self, tmp_path: Path) -> None:
        TuneState(self.OPTIONS).write(tmp_path)
        other = TuneOptions(annotations="/b.json", model="tiny", minutes=4)
        with pytest.raises(InputError) as error:
            open_state(tmp_path, other)
        for said in ("ANNOTATIONS /a.json, not /b.json", "--minutes 3", "--model none, not tiny"):
            assert said in str(error.value)

    def test_files_of_something_else_stay(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.tex").touch()
        with pytest.raises(InputError, match=r"thesis\.tex"):
            open_state(tmp_path, self.OPTIONS)

    def test_photos_are_not_written_over(self, tmp_path: Path) -> None:
        photos = tmp_path / "photos"
        photos.mkdir()
        with pytest.raises(InputError, match="is what is read"):
            open_state(photos, TuneOptions(annotations="/a.json", images=str(photos)))

    def test_a_torn_file(self, tmp_path: Path) -> None:
        (tmp_path / "tune.json").write_text("{")
        with pytest.raises(InputError, match=r"tune\.json"):
            open_state(tmp_path, self.OPTIONS)
