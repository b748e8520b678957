"""The picture of the loss curves."""

from pathlib import Path

import pytest
from PIL import Image

from locvlm.training.engine import plot

pytestmark = pytest.mark.usefixtures("drawn")


def write(log: Path, *lines: str) -> None:
    log.parent.mkdir()
    log.write_text("".join(line + "\n" for line in lines))


def ink(path: Path, color: tuple[int, int, int] = (0x30, 0x63, 0x8E)) -> int:
    """Pixels in the colour of a curve."""
    image = Image.open(path).convert("RGB")
    return sum(count for count, found in image.getcolors(1 << 24) if found == color)


def test_no_logs_at_all(tmp_path: Path) -> None:
    assert ink(plot.plot_losses(tmp_path, ["captions"])) == 0


def test_a_curve_per_stage(tmp_path: Path) -> None:
    lines = [f'{{"step": {step}, "loss": {9 - step}}}' for step in (1, 2, 3)]
    write(tmp_path / "captions" / "log.jsonl", *lines, '{"step": 3, "train_runtime": 1.0}')
    one = plot.plot_losses(tmp_path, ["captions", "locations"])
    assert one == tmp_path / "loss.png"
    width = Image.open(one).width
    assert ink(one) > 100
    write(tmp_path / "locations" / "log.jsonl", *lines)
    assert Image.open(plot.plot_losses(tmp_path, ["captions", "locations"])).width == 2 * width


def test_held_out_images_have_a_curve_in_the_same_picture_and_their_scores_below(
    tmp_path: Path,
) -> None:
    trained = [f'{{"step": {step}, "loss": {9 - step}}}' for step in (1, 2, 3)]
    write(tmp_path / "places" / "log.jsonl", *trained)
    height = Image.open(plot.plot_losses(tmp_path, ["places"])).height
    looks = [f'{{"step": {step}, "eval_loss": 5, "eval_iou": 0.{step}}}' for step in (0, 2, 3)]
    write(tmp_path / "captions" / "log.jsonl", *trained, *looks)
    both = plot.plot_losses(tmp_path, ["captions"])
    assert Image.open(both).height == 2 * height
    assert ink(both, (0xD1, 0x49, 0x5B)) > 100


def test_a_dollar_in_a_name_begins_no_formula(tmp_path: Path) -> None:
    write(tmp_path / "a$x^$" / "log.jsonl", '{"step": 1, "loss": 1}', '{"step": 2, "loss": 2}')
    assert ink(plot.plot_losses(tmp_path, ["a$x^$"])) > 0
