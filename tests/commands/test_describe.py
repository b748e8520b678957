"""`locvlm describe`: places, answers."""

import json
from pathlib import Path

import pytest

from locvlm import cli
from locvlm.geometry import Box
from tests.command_line import Fake, fails_with_one_line


@pytest.mark.parametrize(
    ("box", "problem"),
    [
        ("30,10,10,40", "swapped"),
        ("10,40,30,10", "swapped"),
        ("1,2,3", "3 numbers"),
        ("1,2,3,4,5", "5 numbers"),
        ("", "not numbers"),
        ("a,b,c,d", "not numbers"),
        ("1,2,3,nan", "finite"),
        ("1,2,3,inf", "finite"),
    ],
)
def test_a_bad_box(
    box: str, problem: str, photo: Path, capsys: pytest.CaptureFixture[str], fake: Fake
) -> None:
    line = fails_with_one_line(capsys, "describe", str(photo), f"--box={box}")
    assert problem in line
    assert "x1,y1,x2,y2" in line
    assert not fake.asked


@pytest.mark.parametrize("places", [[], ["--box", "1,2,3,4", "--point", "1,2"]])
def test_describe_takes_exactly_one_place(
    places: list[str], photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "--point x,y" in fails_with_one_line(capsys, "describe", str(photo), *places)


def test_a_located_box_can_be_given_back(
    photo: Path, fake: Fake, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["locate", str(photo), "dog"])
    box = capsys.readouterr().out.split()[1]
    assert cli.main(["describe", str(photo), "--box", box]) == 0
    assert fake.asked[-1] == Box(10, 20, 30.13, 40)
    assert capsys.readouterr().out == "There is a dog.\n"


@pytest.mark.parametrize(
    ("flag", "text", "numbers"),
    [("box", "1,2,3.5,4", [1, 2, 3.5, 4]), ("point", "-0.5,2", [-0.5, 2])],
)
def test_describe_as_json(
    flag: str,
    text: str,
    numbers: list[float],
    photo: Path,
    fake: Fake,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["describe", str(photo), f"--{flag}={text}", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record[flag] == numbers
    assert record["answer"] == "There is a dog."
