"""One bad picture is one bad picture: named, counted, and the run goes on as it would have."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from locvlm.errors import InputError
from locvlm.models.load import load_model
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


def test_another_size_than_annotated_ends_the_run(small_run: Path) -> None:
    """All boxes may be in the wrong pixels."""
    Image.fromarray(np.zeros((80, 120, 3), np.uint8)).save(small_run.parent / "images" / "3.png")
    with pytest.raises(InputError, match=r"3\.png: is 120x80 pixels as displayed"):
        train(small_run, ["cache=false", *only("a")])
