"""Outputs of the frozen vision encoder, computed once and kept on disk.

The encoder is frozen in every stage (arXiv 2404.07449), so each picture needs to pass it only once
per orientation. One memory-mapped array holds them: row r is a picture, (T, D) patch features.
A `CachedVisionTower` in the encoder's place hands them to the unchanged model.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from transformers import LlavaForConditionalGeneration, PreTrainedModel, ProcessorMixin
from transformers.modeling_outputs import BaseModelOutputWithPooling

from locvlm.errors import InputError, UnusableImageError
from locvlm.families import get_family
from locvlm.geometry import Size
from locvlm.io.digests import digest_bytes, digest_file
from locvlm.media.clips import Clip
from locvlm.media.opening import View, mirror
from locvlm.models.chat_template import image_tokens
from locvlm.models.patches import patch_features
from locvlm.models.twin import is_twin, make_twins
from locvlm.models.video_llava.pooling import pool
from locvlm.models.video_llava.processor import frames_of
from locvlm.progress import track
from locvlm.training.data.skipped_images import SkippedImages, open_usable

BATCH = 8


class FeatureStore:
    """Patch features of pictures, float16, by path and orientation.

    Args:
        folder: holds a subfolder per key and list of pictures, with `features.npy` and `done.npy`.
        images: path -> (width, height) as annotated; the order fixes the rows.
        shape: (T, D) patches and width (of all selected layers together) per picture.
        key: names the encoder and its preprocessing; another key means other features, as do
            other or changed pictures.

    Raises:
        InputError: a picture is missing.
    """

    def __init__(self, folder: Path, images: Mapping[Path, Size], shape: tuple[int, int], key: str):
        self.images = list(images.items())
        self.rows = {path: row for row, path in enumerate(images)}
        identities = [_file_digest(path) for path in track(list(images), "Reading pictures")]
        identity = json.dumps([key, identities, shape])
        self.folder = folder / digest_bytes(identity.encode())[:16]
        self.folder.mkdir(parents=True, exist_ok=True)
        size = (len(images), 2, *shape)  # 2: as it is, mirrored
        features, done = self.folder / "features.npy", self.folder / "done.npy"
        for file in (features, done):
            if file.exists() and not _is_whole(file):  # opened for writing it would grow by zeros
                file.unlink()
        if not features.exists():
            done.unlink(missing_ok=True)
        self.features = _memmap(features, np.float16, size)
        self.done = _memmap(done, np.bool_, (len(images), 2))
        self.skipped = SkippedImages(len(images))

    def get(self, path: Path, flipped: bool) -> torch.Tensor:
        """(T, D) float16 features; mirrored ones are those of the mirrored picture.

        Raises UnusableImageError where the picture cannot be read.
        """
        if str(path) in self.skipped:
            raise UnusableImageError(self.skipped.reasons[str(path)])
        row = self.rows[path]
        if not self.done[row, int(flipped)]:
            raise KeyError(f"{path}: features not computed, call compute() first")
        return torch.from_numpy(np.array(self.features[row, int(flipped)]))

    def compute(
        self, model: LlavaForConditionalGeneration, processor: ProcessorMixin, *, flip: bool = True
    ) -> None:
        """Fill what is missing; a killed run goes on where it stopped.

        Args:
            model: its vision encoder and the layers that its adapter reads are used.
            processor: the model's.
            flip: the mirrored pictures too.

        Raises:
            InputError: nearly all pictures are damaged or have another size than annotated, or the
                features would not fit on the disk.
        """
        rows = self.done if flip else self.done[:, :1]
        todo = [(row, bool(flipped)) for row, flipped in np.argwhere(~rows).tolist()]
        self._check_room(len(todo))
        frames = frames_of(processor)
        step = max(1, BATCH // (frames or (2 if is_twin(processor) else 1)))
        for start in track(range(0, len(todo), step), "Encoding pictures once"):
            batch = todo[start : start + step]
            views = [self._open_view(row, flipped, frames) for row, flipped in batch]
            if not (usable := [view for view in views if view is not None]):
                self.skipped.check_any(shown=bool(self.done.any()))
                continue
            features = iter(encode_views(model, processor, usable).to("cpu", torch.float16).numpy())
            for (row, flipped), view in zip(batch, views, strict=True):
                if view is not None:
                    self.features[row, int(flipped)] = next(features)
                    self.done[row, int(flipped)] = True

    def _open_view(self, row: int, flipped: bool, frames: int | None) -> View | None:
        """None, and noted, where the picture cannot be used."""
        path, size = self.images[row]
        if str(path) in self.skipped:
            return None
        try:
            view = open_usable(path, frames, size)
        except UnusableImageError as error:
            self.skipped.add(str(path), error)
            return None
        self.skipped.note(str(path), view)
        return mirror(view) if flipped else view

    def _check_room(self, count: int) -> None:
        """A mapped file that grows beyond the disk would end the process without a word."""
        needed, free = count * self.features[0, 0].nbytes, shutil.disk_usage(self.folder).free
        if needed > free:
            raise InputError(
                f"{self.folder}: features of {count} pictures and mirror images take "
                f"{needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free; name another folder in "
                "features, or set cache: false"
            )


def encode_views(
    model: LlavaForConditionalGeneration, processor: ProcessorMixin, views: Sequence[View]
) -> torch.Tensor:
    """(B, T, D) features of the layers that the adapter reads, of clips pooled ones.

    Of twins, T is twice that of a picture: those of the turned picture come after the others.
    """
    if is_twin(processor):
        images = [image for view in views for image in make_twins(view)]
        return _encode_images(model, processor, images).unflatten(0, (-1, 2)).flatten(1, 2)
    clips = [view for view in views if isinstance(view, Clip)]
    if not clips:  # a model of clips is shown nothing else
        return _encode_images(model, processor, views)
    return torch.cat([pool(_encode_images(model, processor, clip.frames)[None]) for clip in clips])


@torch.inference_mode()
def _encode_images(
    model: LlavaForConditionalGeneration, processor: ProcessorMixin, images: Sequence[Any]
) -> torch.Tensor:
    pixels = processor.image_processor(list(images), return_tensors="pt")["pixel_values"]
    tower = model.model.vision_tower
    return patch_features(model.model, pixels.to(tower.device, tower.dtype))


def can_cache_features(model: Any, processor: ProcessorMixin) -> bool:
    """Whether the encoder's outputs can be kept: of a LLaVA that gives every picture one size."""
    if not get_family(model.config.model_type).encoder_cacheable:
        return False
    try:
        image_tokens(processor)
    except InputError:
        return False
    return True


def encoder_key(model: LlavaForConditionalGeneration, processor: ProcessorMixin) -> str:
    """Changes with the encoder's weights, the layers that are read, and the preprocessing."""
    digest = hashlib.sha256(processor.image_processor.to_json_string().encode())
    digest.update(repr(model.config.vision_feature_layer).encode())
    if frames := frames_of(processor):
        digest.update(f"{frames} frames".encode())
    if is_twin(processor):
        digest.update(b"twins")
    for name, tensor in sorted(model.model.vision_tower.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


class CachedVisionTower(nn.Module):
    """Stands where the encoder was, and returns what it once said.

    Args:
        layers: the layers whose outputs the adapter reads, as in `vision_feature_layer`.
        cls: the adapter's model cuts off a CLS token first (`vision_feature_select_strategy`).
    """

    def __init__(self, layers: int | Sequence[int], *, cls: bool):
        super().__init__()
        self.__dict__["encoder"] = None  # that it stands for; none of its own modules
        self.layers = [layers] if isinstance(layers, int) else list(layers)
        self.cls = cls

    def forward(self, pixel_values: torch.Tensor, **_: Any) -> BaseModelOutputWithPooling:
        """(B, T, D of all layers) features in the place of pixels."""
        parts = pixel_values.float().chunk(len(self.layers), dim=-1)
        if self.cls:
            parts = tuple(F.pad(part, (0, 0, 1, 0)) for part in parts)
        states: Any = dict(zip(self.layers, parts, strict=True))
        return BaseModelOutputWithPooling(hidden_states=states)


@contextmanager
def use_cached_features(model: LlavaForConditionalGeneration) -> Iterator[None]:
    """While it lasts, `model` takes features as its `pixel_values`."""
    tower = model.model.vision_tower
    cls = model.config.vision_feature_select_strategy == "default"
    cached = CachedVisionTower(model.config.vision_feature_layer, cls=cls)
    cached.__dict__["encoder"] = tower
    model.model.vision_tower = cached
    try:
        yield
    finally:
        model.model.vision_tower = tower


@contextmanager
def use_own_encoder(model: PreTrainedModel) -> Iterator[None]:
    """While it lasts, `model` reads pixels again, also within `use_cached_features`."""
    inner: Any = model.model
    cached = getattr(inner, "vision_tower", None)
    if not isinstance(cached, CachedVisionTower):
        yield
        return
    inner.vision_tower = cached.__dict__["encoder"]
    try:
        yield
    finally:
        inner.vision_tower = cached


def _file_digest(path: Path) -> str:
    """Changes when the picture does."""
    try:
        return digest_file(path)
    except FileNotFoundError:
        raise InputError(
            f"{path}: cannot be read (no such file); build the data set again"
        ) from None
    except OSError as error:
        return str(error.strerror)  # passed over, when it is to be opened


def _is_whole(path: Path) -> bool:
    """Whether an .npy file has all that its head promises: a copy may have been cut off."""
    try:
        np.load(path, mmap_mode="r")
    except (ValueError, EOFError):
        return False
    return True


def _memmap(path: Path, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
    """An .npy file mapped for reading and writing; a new one is zeros (sparse on disk)."""
    if not path.exists():
        fresh = path.with_suffix(".new")
        np.lib.format.open_memmap(fresh, "w+", dtype, shape).flush()
        os.replace(fresh, path)
    return np.lib.format.open_memmap(path, "r+")
