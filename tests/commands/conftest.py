"""A photo, and a model that answers without one."""

from pathlib import Path

import pytest
from PIL import Image

from tests.command_line import Fake


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.new("RGB", (200, 100), "grey").save(path)
    return path


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    predictor = Fake()
    monkeypatch.setattr("locvlm.inference.predictor.load_predictor", lambda name, **_: predictor)
    return predictor
