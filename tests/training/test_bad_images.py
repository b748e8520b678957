"""One bad picture is one bad picture: named, counted, and the run goes on as it would have."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from locvlm.errors import InputError
from locvlm.models.load import Loaded, load_model
from locvlm.training.data.feature_cache import FeatureStore
from locvlm.training.data.skipped_images import IN_A_ROW
from locvlm.training.tasks.supervised import AnswerTask
from locvlm.training.train import train


def cut(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def only(stage: str) -> list[str]:
    questions = "{locpred: 2, revloc: 2}"
    return [
        f"stages={{{stage}: {{trains: adapter+lora, steps: 6, images: 2, questions: {questions}}}}}"
    ]


def fail_at(visit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    make, count = AnswerTask._encode, 0

    def encode(self: AnswerTask, *args: object) -> object:
        nonlocal count
        count += 1
        if count == visit:
            raise RuntimeError("out of memory")
        return make(self, *args)

    monkeypatch.setattr(AnswerTask, "_encode", encode)


@pytest.mark.parametrize("more", [["cache=true"], ["cache=false"], ["cache=false", "workers=2"]])
def test_cut_and_empty_images_are_skipped_and_listed(
    small_run: Path, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    images = small_run.parent / "images"
    cut(images / "3.png")
    (images / "5.png").write_bytes(b"")
    stages = [] if more == ["cache=true"] else only("locations")  # naming needs the cache
    load_model(train(small_run, [*more, *stages]))
    said = capsys.readouterr().err
    assert "locations: 2 pictures cannot be used, others were shown in their place:" in said
    for name in ("3.png", "5.png"):
        assert f"locations: skipped: {images / name}: not a readable picture" in said


def test_a_run_that_goes_on_sees_the_same(small_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut(small_run.parent / "images" / "3.png")
    settings = ["cache=false", *only("a")]
    whole = train(small_run, [*settings, "out=whole"])
    with monkeypatch.context() as patch:
        fail_at(9, patch)
        with pytest.raises(RuntimeError, match="out of memory"):
            train(small_run, [*settings, "out=stopped"])
    stopped = train(small_run, [*settings, "out=stopped"])
    expected, found = (load_file(it / "adapter_model.safetensors") for it in (whole, stopped))
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_an_error_leaves_a_checkpoint_of_what_was_done(
    small_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_at(9, monkeypatch)
    with pytest.raises(RuntimeError, match="out of memory"):
        train(small_run, ["cache=false", "save_steps=100", *only("a")])
    (checkpoint,) = (small_run.parent / "out" / "a").glob("checkpoint-*")
    assert json.loads((checkpoint / "trainer_state.json").read_text())["global_step"] >= 3


@pytest.mark.parametrize("cache", ["true", "false"])
def test_where_nearly_all_are_bad_it_is_an_error(small_run: Path, cache: str) -> None:
    for number in range(1, 7):
        cut(small_run.parent / "images" / f"{number}.png")
    with pytest.raises(InputError, match=r"6 of 6 pictures cannot be used; the last one: .*\.png"):
        train(small_run, [f"cache={cache}", *only("a")])


@pytest.mark.parametrize("cache", ["true", "false"])
def test_another_size_than_annotated(
    small_run: Path, cache: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Boxes would be in the wrong pixels: none is learned from; where all are so, nothing is."""
    images = small_run.parent / "images"
    large = Image.fromarray(np.zeros((80, 120, 3), np.uint8))
    large.save(images / "3.png")
    train(small_run, [f"cache={cache}", *only("a")])
    said = capsys.readouterr().err
    assert f"a: skipped: {images / '3.png'}: is 120x80 pixels as displayed" in said
    for number in range(1, 7):
        large.save(images / f"{number}.png")
    with pytest.raises(InputError, match=r"6 of 6 pictures cannot be used; .* is 120x80 pixels"):
        train(small_run, [f"cache={cache}", "out=other", *only("a")])


def test_of_many_that_cannot_be_used_not_all_are_looked_at(
    small_model: Loaded, tmp_path: Path
) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(IN_A_ROW + 100)]
    for path in paths:
        path.write_bytes(b"")
    store = FeatureStore(tmp_path, dict.fromkeys(paths, (8, 8)), (16, 64), "key")
    with pytest.raises(InputError, match=r"0\.png: .* empty.*; nor can \d+ other pictures be used"):
        store.compute(small_model.model, small_model.processor)
    assert len(store.skipped.reasons) < IN_A_ROW + 64


def test_pictures_that_are_gone_are_named_and_left_out(
    small_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = small_run.parent / "images"
    (images / "3.png").unlink()
    load_model(train(small_run))
    said = capsys.readouterr().err
    assert f"skipped: {images / '3.png'}: gone or renamed" in said
    assert "pictures left out, for they are gone: 1" in said
    for number in (1, 2, 4):
        (images / f"{number}.png").unlink()
    words = r"data: 4 of its 6 pictures are gone or renamed, such as .*1\.png; put them back"
    with pytest.raises(InputError, match=words):
        train(small_run, ["out=other"])
