"""`locvlm locate`: one file, decoded once, from the disk to the model and to the drawing."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from locvlm import cli
from locvlm.inference.predictor import Predictor
from locvlm.media import decoding
from locvlm.models.load import Loaded


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files whose pixels have been decoded so far, in order."""
    files: list[str] = []
    load_prepare, frames = ImageFile.ImageFile.load_prepare, decoding.DecodedFrames.__iter__

    def spy_image(image: ImageFile.ImageFile) -> None:
        files.append(Path(image.filename).name)
        load_prepare(image)

    def spy_clip(decoded: decoding.DecodedFrames) -> Iterator[object]:
        files.append("a clip")
        return frames(decoded)

    monkeypatch.setattr(ImageFile.ImageFile, "load_prepare", spy_image)
    monkeypatch.setattr(decoding.DecodedFrames, "__iter__", spy_clip)
    return files


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    noise = np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # displayed as 60 x 90
    Image.fromarray(noise).save(tmp_path / "photo.jpg", exif=exif)
    return tmp_path / "photo.jpg"


def use(monkeypatch: pytest.MonkeyPatch, loaded: Loaded) -> Predictor:
    predictor = Predictor(loaded.model, loaded.processor, loaded.coordinates)
    monkeypatch.setattr("locvlm.inference.predictor.load_predictor", lambda name, **_: predictor)
    return predictor


@pytest.mark.parametrize("save", [True, False])
def test_a_photo_is_decoded_once(
    save: bool,
    photo: Path,
    decoded: list[str],
    small_model: Loaded,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    use(monkeypatch, small_model)
    drawing = ["--save", str(photo.with_name("drawing.png"))] if save else []
    assert cli.main(["locate", str(photo), "dog", "--json", *drawing]) == 0
    assert json.loads(capsys.readouterr().out)["size"] == [60, 90]
    assert decoded == ["photo.jpg"]
    if save:
        assert Image.open(drawing[1]).size == (60, 90)


def test_a_clip_is_decoded_once(
    gif: Path,
    decoded: list[str],
    video_model: Loaded,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    use(monkeypatch, video_model)
    out = gif.with_name("drawing.png")
    assert cli.main(["locate", str(gif), "dog", "--json", "--save", str(out)]) == 0
    assert len(json.loads(capsys.readouterr().out)["times"]) == video_model.processor.num_frames
    assert decoded == ["a clip"]


def test_python_decodes_once_too(
    photo: Path, decoded: list[str], small_model: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = use(monkeypatch, small_model)
    predictor.locate_many(photo, ["dog", "cat"])
    assert decoded == ["photo.jpg"]
    image = predictor.open(photo)
    assert predictor.open(image) is image  # what was opened is handed on, not copied


def test_a_categorys_own_name_is_asked_for_by_its_words(
    photo: Path,
    small_model: Loaded,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    use(monkeypatch, small_model)
    (tmp_path / "names.yaml").write_text("def_01: scratch on metal\n")
    command = ["locate", str(photo), "--json", "--names", str(tmp_path / "names.yaml")]
    for typed, what in (("def_01", "scratch on metal"), ("dent", "dent")):
        assert cli.main([*command, typed]) == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["what"], said.get("category", what)) == (what, typed)
