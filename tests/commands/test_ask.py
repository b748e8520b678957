import json
from pathlib import Path

import pytest

from locvlm import cli
from tests.command_line import Fake


def test_ask_says_locations_in_original_pixels(
    photo: Path, fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["ask", str(photo), "Where is the dog?", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["locations"] == [[20, 20, 100, 100]]
    cli.main(["ask", str(photo), "Where is the dog?"])
    assert "20,20,100,100 (pixels of the original picture)" in capsys.readouterr().out
