"""Where a LLaVA loses the place of things: probes of x and y from the patches to the answer.

    python benchmarks/place.py --annotations instances_val.json --images images --model tiny

Nothing is trained but linear read-outs (ridge regression), each on half of the photos and measured
on the other half, and the other way round. Prints for x and y

    patch      mean error, in cells, of a patch's place read from its features, from the adapter's
               output and from the language model's states (the first `--patches` photos)
    box        correlation with the truth of a box's center read from the mean state of the patches
               inside the true box: what the picture's tokens carry
    prompt     … from the last token before the answer: what the question has gathered
    answer     … from the token that writes the first number, "(", after the right words before it
    answered   correlation of answered centers with the true ones, and how many answers have a box;
               of all things, then of those above 4 % of the picture, these also with the order of
               the picture's tokens mirrored: in that direction, a positive one means that answers
               follow what the tokens carry, a negative one that they follow their order
    sides      share of pairs, a fifth of the picture apart, that answered centers put in the right
               order: left-right, above-below

with 95 % intervals from a bootstrap over photos. Things are those alone of their category.
LocVLM-Tiny takes about five CPU minutes for 40 photos (`--limit`), most of them for the answers.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache, LlavaForConditionalGeneration

import locvlm
from locvlm import annotations
from locvlm.annotations.base import AnnotatedImage, Object
from locvlm.errors import InputError
from locvlm.geometry import coords_of
from locvlm.inference.decoding import Prefix, join_caches, pad_questions
from locvlm.inference.predictor import WHERE, Predictor
from locvlm.instructions.objectives.locpred import ANSWER
from locvlm.models.chat_template import patch_grid
from locvlm.models.chat_tokens import ChatTokens
from locvlm.models.patches import patch_features
from locvlm.progress import track
from locvlm.training.auxiliary.attention_guidance import patch_mask

LARGE = 0.04  # of the picture's area
APART = 0.2  # of the picture's side: the centers of a pair
RIDGES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)  # per row; what leaves the least error on rows left out
RESAMPLES = 1000
MIRRORED = {"columns": 2, "rows": 1}  # dimension of (pictures, rows, columns, H)

Points = np.ndarray  # (N, 2) x and y, in shares of the picture


@dataclass(frozen=True)
class Photo:
    """A picture and the things in it that can be asked for."""

    image: AnnotatedImage
    things: tuple[Object, ...]

    @property
    def centers(self) -> Points:
        size = np.array([self.image.width, self.image.height])
        return np.array([coords_of(item.box.center) for item in self.things]) / size

    @property
    def large(self) -> np.ndarray:
        """(N,) bool."""
        area = self.image.width * self.image.height
        return np.array([item.box.area / area > LARGE for item in self.things])


@dataclass(frozen=True)
class Rows:
    """What is known of things or patches, with the photo of each."""

    states: np.ndarray  # (N, D)
    truth: Points
    photo: np.ndarray  # (N,) number


class Probe:
    """Reads a model's states.

    Args:
        model: a LLaVA that reads pictures of one size.
        images: the pictures' folder.
        layers: of the language model; 0 is the adapter's output.

    Raises:
        SystemExit: it is another model.
    """

    def __init__(self, model: Predictor, images: Path, layers: Sequence[int]):
        if not isinstance(model.model, LlavaForConditionalGeneration) or model.frames:
            raise SystemExit(f"{model.name}: only a LLaVA that reads pictures can be probed")
        self.model, self.images, self.layers = model, images, layers
        self.grid = patch_grid(model.processor)
        self.chat = ChatTokens(model.processor)

    @torch.inference_mode()
    def read(self, photo: Photo) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """States of the patches (T, D), by name; and of the things (N, D), by name."""
        view = self.model.open(self.images / photo.image.file_name)
        inputs = self.chat.prefix(view).to(self.model.model.device, dtype=self.model.model.dtype)
        cache = DynamicCache(config=self.model.model.config)
        seen = self._states(**inputs, past_key_values=cache)
        image = inputs["input_ids"][0] == self.model.processor.image_token_id
        # of a twin, the first: the picture as it stands
        patches = {i: state[0, image][: self.grid[0] * self.grid[1]] for i, state in seen.items()}
        asked, said = zip(*self._turns(photo, view.size), strict=True)
        prefix = Prefix(cache, inputs["input_ids"].shape[1])
        rows = [before + answer for before, answer in zip(asked, said, strict=True)]
        ids, mask, positions = pad_questions(rows, [prefix] * len(rows), self.model.model.device)
        after = self._states(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=join_caches([prefix] * len(rows)),
        )
        prompt = torch.tensor([ids.shape[1] - len(answer) - 1 for answer in said])
        number = torch.arange(len(rows))
        boxes = torch.from_numpy(self._boxes(photo)).to(ids.device)
        things = {
            f"box, {_name(i)}": torch.stack([state[box].float().mean(0) for box in boxes])
            for i, state in patches.items()
        }
        for where, place in (("prompt", prompt), ("answer", -1)):
            for i in self.layers:
                if i:  # before the first layer it is one token, whatever the picture
                    things[f"{where}, {_name(i)}"] = after[i][number, place]
        named = {f"patch, {_name(i)}": state for i, state in patches.items()}
        found = self._features(inputs["pixel_values"][:1]) | named
        return _arrays(found), _arrays(things)

    def _states(self, **inputs: Any) -> dict[int, torch.Tensor]:
        out = self.model.model(
            **inputs, use_cache=True, output_hidden_states=True, logits_to_keep=1
        )
        return {i: out.hidden_states[i] for i in self.layers}

    def _features(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Of each of the encoder's layers that the adapter reads."""
        model: Any = self.model.model
        layers = model.config.vision_feature_layer
        layers = [layers] if isinstance(layers, int) else layers
        parts = patch_features(model.model, pixels)[0].chunk(len(layers), dim=-1)
        return {f"patch, encoder {i}": part for i, part in zip(layers, parts, strict=True)}

    def _turns(self, photo: Photo, size: tuple[int, int]) -> Iterator[tuple[list[int], list[int]]]:
        """Of each thing the question, and the answer up to where its numbers begin."""
        speech, frame = self.model.coordinates, self.model.frame(size)
        tokenizer = self.model.processor.tokenizer
        for item in photo.things:
            question = WHERE.format(category=item.category, repr=speech.repr_of("box"))
            turn = self.chat.turn(question, ANSWER.format(loc=speech.encode(item.box, frame)))
            digit = next(
                place
                for place, token in enumerate(turn.answered)
                if any(sign.isdigit() for sign in tokenizer.decode([token]))
            )
            yield turn.asked, turn.answered[:digit]

    def _boxes(self, photo: Photo) -> np.ndarray:
        """(N, T) True at the patches of each thing."""
        frame = self.model.frame((photo.image.width, photo.image.height))
        return np.stack([patch_mask([item.box], frame, self.grid) for item in photo.things])


def main() -> None:
    """Measure and print."""
    options = _arguments()
    torch.set_num_threads(options.threads)
    model = locvlm.load(options.model)
    photos = _photos(options)
    depth = model.model.config.get_text_config().num_hidden_layers
    layers = sorted({round(depth * step / 10) for step in range(11)})
    probe = Probe(model, options.images, layers)
    count = sum(len(photo.things) for photo in photos)
    print(f"{options.model}, {model.decoding['dtype']}: {len(photos)} photos, {count} things\n")
    _print_read_outs(probe, photos, options.patches)
    _print_answers(model, photos, options.images, patch_grid(model.processor))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--annotations", type=Path, required=True, help="detections, as of COCO")
    parser.add_argument("--images", type=Path, required=True, help="folder of the photos")
    parser.add_argument("--model", default="tiny", help="a shipped model or a folder")
    parser.add_argument("--limit", type=int, default=100, help="photos")
    parser.add_argument("--patches", type=int, default=32, help="photos whose patches are read")
    parser.add_argument("--seed", type=int, default=0, help="which photos, and of the bootstrap")
    parser.add_argument("--threads", type=int, default=2, help="CPU cores to use")
    return parser.parse_args()


def _photos(options: argparse.Namespace) -> list[Photo]:
    """Drawn among those with something to ask for."""
    reader, _ = annotations.detect_format(options.annotations)
    found = annotations.read(reader, options.annotations, images=options.images)
    usable = [Photo(image, tuple(image.single_instances())) for image in found.images]
    usable = [photo for photo in usable if photo.things]
    if len(usable) < 4:
        raise InputError(f"{options.annotations}: fewer than 4 photos with a thing to ask for")
    return random.Random(options.seed).sample(usable, min(options.limit, len(usable)))


def _print_read_outs(probe: Probe, photos: Sequence[Photo], most: int) -> None:
    patches, things = defaultdict(list), defaultdict(list)
    owner: list[int] = []
    for number, photo in enumerate(track(photos, "Reading")):
        of_patches, of_things = probe.read(photo)
        owner += [number] * len(photo.things)
        for name, states in of_things.items():
            things[name].append(states)
        if number < most:
            for name, states in of_patches.items():
                patches[name].append(states)
    columns, rows = probe.grid
    cells = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1).reshape(-1, 2)
    _print_head("read from its state", "error in cells: x", "y")
    for name, parts in patches.items():
        number = np.repeat(np.arange(len(parts)), len(cells))
        known = Rows(np.concatenate(parts), np.tile(cells, (len(parts), 1)).astype(float), number)
        error = np.abs(read_out(known) - known.truth).mean(0)
        _print_row(name, *(f"{value:.2f}" for value in error))
    print()
    truth = np.concatenate([photo.centers for photo in photos])
    _print_head("center read from", "correlation: x", "y")
    for name in things:
        known = Rows(np.concatenate(things[name]), truth, np.array(owner))
        said = read_out(known)
        # each half was told the other's mean, which would count against it
        middle = [_without_mean(points, known.photo) for points in (said, truth)]
        _print_row(name, *correlations(*middle, known.photo))
    print()


def _print_answers(
    model: Predictor, photos: Sequence[Photo], images: Path, grid: tuple[int, int]
) -> None:
    truth = np.concatenate([photo.centers for photo in photos])
    large = np.concatenate([photo.large for photo in photos])
    owner = np.repeat(np.arange(len(photos)), [len(photo.things) for photo in photos])
    said = answered(model, photos, images)
    _print_head("answered centers", "correlation: x", "y", "boxes")
    for name, kept in (("all", np.ones_like(large)), ("large", large)):
        _print_answered(name, said, truth, owner, kept)
    for name, dimension in MIRRORED.items():
        with mirrored(model, grid, dimension):
            other = answered(model, photos, images, large=True)
        _print_answered(f"large, {name} of tokens mirrored", other, truth, owner, large)
    print()
    _print_head("right order of answered centers", "left-right", "above-below")
    _print_row("pairs", *sides(said, truth, owner))


def _print_answered(
    name: str, said: Points, truth: Points, owner: np.ndarray, kept: np.ndarray
) -> None:
    boxes = kept & ~np.isnan(said[:, 0])
    found = correlations(said[boxes], truth[boxes], owner[boxes])
    _print_row(name, *found, f"{boxes.sum()} of {kept.sum()}")


def answered(
    model: Predictor, photos: Sequence[Photo], images: Path, *, large: bool = False
) -> Points:
    """Answered centers of all things; NaN without a box, and where only `large` ones are asked."""
    fresh = Predictor(model.model, model.processor, model.coordinates)  # remembers no picture
    centers = []
    for photo in track(photos, "Asking"):
        size = np.array([photo.image.width, photo.image.height])
        asked = photo.large if large else np.ones(len(photo.things), bool)
        names = [item.category for item, ask in zip(photo.things, asked, strict=True) if ask]
        path = images / photo.image.file_name
        found = iter(fresh.locate_many(path, names) if names else ())
        boxes = [next(found).box if ask else None for ask in asked]
        centers += [coords_of(box.center) / size if box else [np.nan] * 2 for box in boxes]
    return np.array(centers)


@contextmanager
def mirrored(model: Predictor, grid: tuple[int, int], dimension: int) -> Iterator[None]:
    """While it lasts, the language model sees the patches' vectors in a mirrored order."""
    columns, rows = grid

    def mirror(_: Any, __: Any, out: torch.Tensor) -> torch.Tensor:
        pictures = out.unflatten(1, (rows, columns)).flip(dimension)
        if len(out) == 2:  # of a twin the second is turned: its rows are the first's columns
            pictures[1] = out[1].unflatten(0, (rows, columns)).flip(2 - dimension)
        return pictures.flatten(1, 2)

    adapter = model.model.model.multi_modal_projector
    hook = adapter.register_forward_hook(mirror)
    try:
        yield
    finally:
        hook.remove()


def read_out(known: Rows) -> Points:
    """(N, 2) what a linear read-out says of each row that learned from the other half of photos."""
    said = np.empty_like(known.truth)
    half = known.photo % 2 == 0
    for learned, asked in ((half, ~half), (~half, half)):
        said[asked] = ridge(known.states[learned], known.truth[learned], known.states[asked])
    return said


def _without_mean(points: Points, photo: np.ndarray) -> Points:
    """Without that of their half of the photos."""
    even = (photo % 2 == 0)[:, None]
    return points - np.where(even, points[even[:, 0]].mean(0), points[~even[:, 0]].mean(0))


def ridge(states: np.ndarray, truth: Points, asked: np.ndarray) -> Points:
    """Ridge regression on standardized states; the penalty by leave-one-out error, per column."""
    mean, spread = states.mean(0), states.std(0) + 1e-6
    middle = truth.mean(0)
    u, s, vt = _svd((states - mean) / spread)
    parts = u.T @ (truth - middle)
    best, least = np.zeros((len(s), 2)), np.full(2, np.inf)
    for penalty in RIDGES:
        kept = s**2 / (s**2 + penalty * len(states))
        leverage = (u**2 * kept).sum(1, keepdims=True) + 1 / len(states)
        left_out = (truth - middle - u @ (kept[:, None] * parts)) / (1 - leverage)
        error = (left_out**2).mean(0)
        better = error < least
        best = np.where(better, (kept / s)[:, None] * parts, best)
        least = np.minimum(error, least)
    return (asked - mean) / spread @ (vt.T @ best) + middle


def _svd(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The thin one; by the smaller of its Gram matrices, which is exact enough and much faster."""
    rows = rows.astype(np.float64)
    tall = len(rows) > rows.shape[1]
    squares, vectors = np.linalg.eigh(rows.T @ rows if tall else rows @ rows.T)
    kept = squares > squares[-1] * 1e-10
    s, vectors = np.sqrt(squares[kept]), vectors[:, kept]
    if tall:
        return rows @ vectors / s, s, vectors.T
    return vectors, s, vectors.T @ rows / s[:, None]


def correlations(said: Points, truth: Points, photo: np.ndarray) -> Iterator[str]:
    """Of x and of y, with intervals."""
    for axis in (0, 1):
        pairs = np.stack([said[:, axis], truth[:, axis]], 1)
        yield _with_interval(lambda rows, pairs=pairs: _correlation(pairs[rows]), photo)


def sides(said: Points, truth: Points, photo: np.ndarray) -> Iterator[str]:
    """Share of pairs of one photo that are in the right order, left-right and above-below."""
    for axis in (0, 1):
        right, owner = [], []
        for number in np.unique(photo):
            rows = np.flatnonzero((photo == number) & ~np.isnan(said[:, axis]))
            for a, b in combinations(rows, 2):
                apart = truth[a, axis] - truth[b, axis]
                if abs(apart) >= APART:
                    right.append((said[a, axis] - said[b, axis]) * apart > 0)
                    owner.append(number)
        flags = np.array(right, float)
        share = _with_interval(lambda rows, flags=flags: float(flags[rows].mean()), np.array(owner))
        yield f"{share} of {len(flags)}"


def _correlation(pairs: np.ndarray) -> float:
    a, b = pairs.T
    return float(np.corrcoef(a, b)[0, 1]) if a.std() and b.std() else 0.0


def _with_interval(figure: Callable[[np.ndarray], float], photo: np.ndarray) -> str:
    """A figure of rows, with its 95 % interval by a bootstrap over their photos."""
    rows = [np.flatnonzero(photo == number) for number in np.unique(photo)]
    if len(photo) < 3 or len(rows) < 2:
        return "–"
    rng = np.random.default_rng(0)
    drawn = [
        figure(np.concatenate([rows[i] for i in rng.integers(len(rows), size=len(rows))]))
        for _ in range(RESAMPLES)
    ]
    low, high = np.percentile(drawn, (2.5, 97.5))
    return f"{figure(np.arange(len(photo))):.2f} [{low:.2f}, {high:.2f}]"


def _name(layer: int) -> str:
    return f"layer {layer}" if layer else "adapter"


def _arrays(states: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    return {name: state.float().cpu().numpy() for name, state in states.items()}


def _print_head(*cells: str) -> None:
    _print_row(*cells)
    print("|" + "---|" * len(cells))


def _print_row(*cells: str) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
