"""The store of encoder outputs: both orientations, once each, also after a kill."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from locvlm.errors import InputError
from locvlm.geometry import Size
from locvlm.models.load import Loaded
from locvlm.training.data import feature_cache
from locvlm.training.data.feature_cache import FeatureStore, encode_views

SHAPE = (16, 64)  # 4 x 4 patches, two layers of 32


@pytest.fixture
def pictures(tmp_path: Path) -> dict[Path, Size]:
    """Eleven noisy pictures of different shapes: more than one batch."""
    noise = np.random.default_rng(0)
    sizes = {}
    for i in range(11):
        width, height = 60 - 2 * i, 20 + 3 * i
        path = tmp_path / f"{i}.png"
        Image.fromarray(noise.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
        sizes[path] = (width, height)
    return sizes


def encoded(small_model: Loaded, *images: Image.Image) -> torch.Tensor:
    return encode_views(small_model.model, small_model.processor, list(images)).to(torch.float16)


def assert_same(a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(a, b, rtol=1e-2, atol=1e-2)  # float16, and batches of other sizes


def test_both_orientations_of_every_picture(
    small_model: Loaded, pictures: dict[Path, Size], tmp_path: Path
) -> None:
    store = FeatureStore(tmp_path / "store", pictures, SHAPE, "small")
    store.compute(small_model.model, small_model.processor)
    for path in pictures:
        image = Image.open(path)
        (as_is,) = encoded(small_model, image)
        (mirrored,) = encoded(small_model, ImageOps.mirror(image))
        assert store.get(path, False).shape == SHAPE
        assert store.get(path, False).dtype == torch.float16
        assert_same(store.get(path, False), as_is)
        assert_same(store.get(path, True), mirrored)
        assert float((as_is - mirrored).abs().max()) > 0.1  # or the test could not fail


def test_layers_stand_side_by_side_without_the_cls_token(small_model: Loaded) -> None:
    model: Any = small_model.model
    image = Image.new("RGB", (30, 30), (200, 20, 90))
    out = encode_views(model, small_model.processor, [image])
    pixels = small_model.processor.image_processor([image], return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        hidden = model.model.vision_tower(pixels, output_hidden_states=True).hidden_states
    assert out.shape == (1, *SHAPE)
    assert torch.equal(out[..., :32], hidden[0][:, 1:])
    assert torch.equal(out[..., 32:], hidden[2][:, 1:])


def test_nothing_is_returned_before_it_is_computed(
    pictures: dict[Path, Size], tmp_path: Path
) -> None:
    store = FeatureStore(tmp_path, pictures, SHAPE, "small")
    with pytest.raises(KeyError, match="call compute"):
        store.get(next(iter(pictures)), False)
    with pytest.raises(KeyError):
        store.get(Path("another.png"), False)


def test_a_killed_run_goes_on_where_it_stopped(
    small_model: Loaded, pictures: dict[Path, Size], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    killed = True

    def spy(model: Any, processor: Any, batch: list[Image.Image]) -> torch.Tensor:
        if len(seen) == 1 and killed:
            raise KeyboardInterrupt
        seen.append(len(batch))
        return encode_views(model, processor, batch)

    monkeypatch.setattr(feature_cache, "encode_views", spy)
    first = FeatureStore(tmp_path, pictures, SHAPE, "small")
    with pytest.raises(KeyboardInterrupt):
        first.compute(small_model.model, small_model.processor)
    assert int(first.done.sum()) == seen[0] == 8

    killed = False
    again = FeatureStore(tmp_path, pictures, SHAPE, "small")
    assert int(again.done.sum()) == 8
    again.compute(small_model.model, small_model.processor)
    assert sum(seen) == 2 * len(pictures)
    assert again.done.all()

    again.compute(small_model.model, small_model.processor)  # nothing is left to do
    assert sum(seen) == 2 * len(pictures)
    first_of_all = next(iter(pictures))
    assert_same(again.get(first_of_all, False), encoded(small_model, Image.open(first_of_all))[0])


@pytest.mark.parametrize("damage", ["cut", "empty", "gone"])
@pytest.mark.parametrize("file", ["features.npy", "done.npy"])
def test_damaged_files_are_computed_anew(
    small_model: Loaded, pictures: dict[Path, Size], tmp_path: Path, file: str, damage: str
) -> None:
    store = FeatureStore(tmp_path, pictures, SHAPE, "small")
    store.compute(small_model.model, small_model.processor)
    last = list(pictures)[-1]
    right = store.get(last, True)
    path = store.folder / file
    if damage == "gone":
        path.unlink()
    else:
        whole = path.read_bytes()
        path.unlink()  # the store has the old one mapped
        path.write_bytes(whole[: len(whole) - 20 if damage == "cut" else 0])
    again = FeatureStore(tmp_path, pictures, SHAPE, "small")
    with pytest.raises(KeyError, match="features not computed"):
        again.get(last, True)
    again.compute(small_model.model, small_model.processor)
    assert_same(again.get(last, True), right)


def test_another_key_or_other_pictures_are_another_store(
    pictures: dict[Path, Size], tmp_path: Path
) -> None:
    fewer = dict(list(pictures.items())[:3])
    folders = {
        FeatureStore(tmp_path, pictures, SHAPE, "a").folder,
        FeatureStore(tmp_path, pictures, SHAPE, "b").folder,
        FeatureStore(tmp_path, fewer, SHAPE, "a").folder,
        FeatureStore(tmp_path, pictures, (16, 32), "a").folder,
    }
    assert len(folders) == 4
    assert FeatureStore(tmp_path, pictures, SHAPE, "a").folder in folders
    changed = next(iter(pictures))
    changed.write_bytes(changed.read_bytes() + b"\0")
    assert FeatureStore(tmp_path, pictures, SHAPE, "a").folder not in folders


def test_mirrored_pictures_only_where_wanted(
    small_model: Loaded, pictures: dict[Path, Size], tmp_path: Path
) -> None:
    store = FeatureStore(tmp_path, pictures, SHAPE, "small")
    store.compute(small_model.model, small_model.processor, flip=False)
    assert store.done[:, 0].all()
    assert not store.done[:, 1].any()


def test_a_picture_of_another_size_than_annotated(small_model: Loaded, tmp_path: Path) -> None:
    path = tmp_path / "lying.png"
    Image.new("RGB", (40, 20)).save(path)
    store = FeatureStore(tmp_path, {path: (20, 40)}, SHAPE, "small")
    with pytest.raises(InputError, match="is 40x20 pixels as displayed, annotated as 20x40"):
        store.compute(small_model.model, small_model.processor)


def test_a_disk_that_is_too_small(
    small_model: Loaded, pictures: dict[Path, Size], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FeatureStore(tmp_path / "store", pictures, SHAPE, "small")
    bytes_ = 2 * 16 * 64  # of one picture

    def free(count: int) -> None:
        found = SimpleNamespace(free=count * bytes_)
        monkeypatch.setattr(feature_cache.shutil, "disk_usage", lambda _: found)

    free(2 * 11 - 1)
    with pytest.raises(InputError, match="22 pictures and mirror images .* or set cache: false"):
        store.compute(small_model.model, small_model.processor)
    free(11)
    store.compute(small_model.model, small_model.processor, flip=False)
    store.compute(small_model.model, small_model.processor)  # what is left


def test_a_missing_picture(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.png: cannot be read"):
        FeatureStore(tmp_path, {tmp_path / "none.png": (1, 1)}, SHAPE, "small")


def test_the_camera_s_orientation_is_undone(small_model: Loaded, tmp_path: Path) -> None:
    """A box is drawn on the picture as it is shown, not as the sensor stored it."""
    shown = Image.new("RGB", (40, 20))
    shown.paste((250, 240, 230), (0, 0, 15, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # stored a quarter turn to the left
    path = tmp_path / "turned.png"
    shown.rotate(90, expand=True).save(path, exif=exif)
    store = FeatureStore(tmp_path, {path: (40, 20)}, SHAPE, "small")
    store.compute(small_model.model, small_model.processor)
    assert_same(store.get(path, False), encoded(small_model, shown)[0])
    assert_same(store.get(path, True), encoded(small_model, ImageOps.mirror(shown))[0])
