"""What tests of commands share: a model that answers without one, commands that must fail."""

from pathlib import Path

import pytest

from locvlm import cli, coordinates
from locvlm.geometry import Box, Frame, Location, Size
from locvlm.inference.predictor import Located
from locvlm.media.opening import View, open_media


def fails_with_one_line(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The line on standard error of a command that must end with code 2."""
    assert cli.main(arguments) == 2
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if not line.startswith("Loading")]
    assert len(lines) == 1
    assert lines[0].startswith("locvlm: error: ")
    assert captured.out == ""
    return lines[0]


class Fake:
    """Answers without a model; remembers what it was asked."""

    coordinates = coordinates.get("ivb", bins=100)

    def __init__(self) -> None:
        self.box: Box | None = Box(10, 20, 30.126, 40)
        self.asked: list[object] = []
        self.frames: int | None = None
        self.truncated = 0
        self.decoding = {"max_new_tokens": 64}

    def open(self, image: Path) -> View:
        return open_media(image, self.frames)

    def frame(self, size: Size) -> Frame:
        return Frame.resize(size, 224)

    def locate(self, image: View, what: str) -> Located:
        self.asked.append((image.size, what))
        return Located(self.box, "It is there." if self.box else "There is no such object", 0)

    def describe(self, image: View, location: Location) -> str:
        self.asked.append(location)
        return "There is a dog."

    def ask(self, image: View, question: str) -> str:
        self.asked.append(question)
        return "It is located at (10,20,50,100)"
