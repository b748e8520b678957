"""The dialects held against transformers' own code, on thousands of random boxes and pictures.

`pytest -s` prints a row for every comparison: the table of docs/data/coordinates.md.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from locvlm import coordinates
from locvlm.coordinates import qwen2_5_vl
from locvlm.coordinates.dialect import Dialect
from locvlm.errors import InputError
from locvlm.geometry import Box, Size, coords_of

pytest.importorskip("transformers")

CASES = 20_000
TOKENS = "<patch_index_{:04d}><patch_index_{:04d}>"
LOCS = "<loc_{}><loc_{}><loc_{}><loc_{}>"


def dialect(name: str, **options: int) -> Dialect:
    found = coordinates.get(name, **options)
    assert isinstance(found, Dialect)
    return found


def boxes(seed: int, *, whole: bool = False, cases: int = CASES) -> Iterator[tuple[Size, Box]]:
    """Pictures of 1 … 4000 pixels a side and a box with an area in each."""
    rng = np.random.default_rng(seed)
    while cases:
        size = tuple(int(v) for v in rng.integers(1, 4001, size=2))
        corners = np.sort(rng.random((2, 2)) * size, axis=0)
        x1, y1, x2, y2 = np.rint(corners).ravel() if whole else corners.ravel()
        if x1 < x2 and y1 < y2:
            yield (size[0], size[1]), Box(x1, y1, x2, y2)
            cases -= 1


def row(*cells: object) -> None:
    print("\n|", " | ".join(f"{c:,}" if isinstance(c, int) else str(c) for c in cells), "|")


@pytest.mark.parametrize("whole", [False, True], ids=["fractions", "whole pixels"])
def test_kosmos_2_writes_the_same_cells(whole: bool) -> None:
    from transformers.models.kosmos2.processing_kosmos2 import coordinate_to_patch_index

    kosmos = dialect("kosmos-2")
    wrong = 0
    for (width, height), box in boxes(1, whole=whole):
        shares = (box.x1 / width, box.y1 / height, box.x2 / width, box.y2 / height)
        tokens = TOKENS.format(*coordinate_to_patch_index(shares, 32))
        wrong += kosmos.encode(box, (width, height)) != f"<object>{tokens}</object>"
    row("kosmos-2", "encode", "transformers, coordinate_to_patch_index", CASES, wrong)
    assert wrong == 0


def test_kosmos_2_reads_the_same_boxes() -> None:
    from transformers.models.kosmos2.processing_kosmos2 import (
        clean_text_and_extract_entities_with_bboxes,
    )

    kosmos = dialect("kosmos-2")
    rng = np.random.default_rng(2)
    wrong = cases = 0
    while cases < CASES:
        width, height = (int(v) for v in rng.integers(1, 4001, size=2))
        x, y = np.sort(rng.integers(0, 32, size=(2, 3, 2)))
        first, last = y[:, 0] * 32 + x[:, 0], y[:, 1] * 32 + x[:, 1]
        pairs = [TOKENS.format(*pair) for pair in zip(first, last, strict=True)]
        text = "<grounding><phrase>dogs</phrase><object>"
        text += "</delimiter_of_multi_objects/>".join(pairs) + "</object>"
        ((_, _, theirs),) = clean_text_and_extract_entities_with_bboxes(text)[1]
        ours = kosmos.parse(text, (width, height))
        assert len(ours) == len(theirs) == 3
        for box, shares in zip(ours, theirs, strict=True):
            expected = np.multiply(shares, (width, height, width, height))
            wrong += not np.allclose(coords_of(box), expected, rtol=1e-9)
            cases += 1
    row("kosmos-2", "parse", "transformers, post_process_generation", cases, wrong)
    assert wrong == 0


def florence() -> Any:
    from transformers.models.florence2.processing_florence2 import Florence2PostProcessor

    class Tokenizer:
        all_special_tokens = ()

    return Florence2PostProcessor({}, Tokenizer())


@pytest.mark.parametrize("whole", [False, True], ids=["fractions", "whole pixels"])
def test_florence_2_writes_the_same_bins(whole: bool) -> None:
    torch = pytest.importorskip("torch")
    original, ours = florence(), dialect("florence-2")
    wrong = missed = 0
    for size, box in boxes(3, whole=whole):
        place = torch.tensor([coords_of(box)], dtype=torch.float64)
        theirs = original.quantize(place, size)[0].tolist()
        text = ours.encode(box, size)
        if text != LOCS.format(*theirs):
            wrong += 1
            missed += misses_an_edge(text, theirs, size, box)
    row("florence-2", "encode", "transformers, Florence2PostProcessor.quantize", CASES, wrong)
    assert wrong == missed
    assert wrong < (CASES / 100 if whole else 1)


def misses_an_edge(text: str, theirs: list[int], size: Size, box: Box) -> bool:
    """Whether the original is one bin short of a corner that lies on a bin's edge exactly.

    It divides by size / 1000, which is no exact float: 64 / (640 / 1000) may be 99.99….
    """
    mine = [int(word) for word in text.strip("<>loc_").split("><loc_")]
    exact = [v * 1000 % size[i % 2] == 0 for i, v in enumerate(coords_of(box))]
    return all(a == b or (a == b + 1 and e) for a, b, e in zip(mine, theirs, exact, strict=True))


def test_florence_2_reads_the_same_boxes() -> None:
    pytest.importorskip("torch")
    original, ours = florence(), dialect("florence-2")
    rng = np.random.default_rng(4)
    wrong = missed = 0
    for _ in range(CASES // 2):
        width, height = (int(v) for v in rng.integers(1, 4001, size=2))
        bins = np.sort(rng.integers(0, 1000, size=(2, 2, 2)), axis=1).reshape(2, 4)
        text = "car" + "".join(LOCS.format(*numbers) for numbers in bins)
        theirs = original.parse_description_with_bboxes_from_text_and_spans(text, (width, height))
        for box, found in zip(ours.parse(text, (width, height)), theirs, strict=True):
            exact = np.array(coords_of(box))
            if [int(v) for v in exact] != found["bbox"]:  # it cuts off to whole pixels
                wrong += 1
                # In 32 bits it may miss a whole pixel from below.
                off = exact[exact.astype(int) != found["bbox"]]
                missed += bool(np.allclose(off, np.rint(off), atol=1e-3, rtol=0))
    row("florence-2", "parse", "transformers, Florence2PostProcessor", CASES, wrong)
    assert wrong == missed
    assert wrong < CASES / 100


@pytest.mark.parametrize("bounds", [(56 * 56, 28 * 28 * 1280), (256 * 784, 512 * 784), (1, 784)])
def test_qwen2_5_vl_sees_pictures_of_the_same_size(bounds: tuple[int, int]) -> None:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

    qwen = dialect("qwen2.5-vl", min_pixels=bounds[0], max_pixels=bounds[1])
    rng = np.random.default_rng(5)
    wrong = 0
    for i in range(CASES):
        most = (100, 1000, 9000)[i % 3]
        width, height = (int(v) for v in rng.integers(1, most, size=2))
        try:
            theirs = smart_resize(height, width, min_pixels=bounds[0], max_pixels=bounds[1])
        except ValueError:
            with pytest.raises(InputError, match="too narrow"):
                qwen.frame((width, height))
            continue
        wrong += qwen.frame((width, height)).model != (theirs[1], theirs[0])
    row("qwen2.5-vl", "frame", "transformers, smart_resize", CASES, wrong)
    assert wrong == 0


def test_qwen2_5_vl_steps_are_the_patches_of_its_processor() -> None:
    from transformers import Qwen2VLImageProcessorPil

    processor = Qwen2VLImageProcessorPil()
    assert processor.patch_size * processor.merge_size == qwen2_5_vl.FACTOR


@pytest.mark.parametrize("name", ["llava-1.5", "shikra"])
def test_the_square_is_padded_as_llava_does(name: str) -> None:
    """Where a white picture begins and ends in transformers' square."""
    from transformers import LlavaImageProcessorPil

    processor = LlavaImageProcessorPil()
    rng = np.random.default_rng(6)
    wrong = 0
    for _ in range(1000):
        width, height = (int(v) for v in rng.integers(1, 200, size=2))
        white = np.full((3, height, width), 255, dtype=np.uint8)
        square = np.asarray(processor.pad_to_square(white, background_color=0))[0]
        side = max(width, height)
        assert square.shape == (side, side)
        rows, columns = (np.flatnonzero(square.any(axis=axis)) for axis in (1, 0))
        theirs = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) / side
        frame = dialect(name).frame((width, height))
        ours = np.array(coords_of(frame.apply(Box(0, 0, width, height)))) / frame.model[0]
        wrong += not np.allclose(ours, theirs)
    row(name, "frame", "transformers, LlavaImageProcessorPil.pad_to_square", 1000, wrong)
    assert wrong == 0
