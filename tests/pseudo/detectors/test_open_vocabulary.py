"""OWL-ViT, OWLv2 and Grounding DINO: names in, boxes in pixels of the picture out."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoProcessor

from locvlm.errors import InputError
from locvlm.pseudo.detectors import load
from locvlm.pseudo.detectors.grounding_dino import _join_names, _token_shares
from tests.pseudo.detectors import tiny
from tests.pseudo.detectors.test_closed import SHAPES, picture

NAMES = ("cat", "Red car", "dogs")


def build(kind: str, folder: Path) -> Path:
    if kind == "owlv2":
        pytest.importorskip("scipy")
    return tiny.build(kind, folder)


def answered(detector: Any, folder: Path, image: Image.Image) -> list[dict[str, Any]]:
    """What transformers itself makes of the same model and picture."""
    processor = AutoProcessor.from_pretrained(folder, backend="pil")
    inputs = processor(images=image, text=[list(NAMES)], return_tensors="pt")
    with torch.inference_mode():
        outputs = detector._model(**inputs)
    return processor.post_process_grounded_object_detection(
        outputs,
        threshold=0.0,
        target_sizes=[(image.height, image.width)],
        text_labels=[list(NAMES)],
    )[0]


@pytest.mark.parametrize("kind", ["owlvit", "owlv2"])
def test_owl_as_transformers(tmp_path: Path, kind: str) -> None:
    folder = build(kind, tmp_path)
    detector = load(str(folder), categories=NAMES)
    for size in SHAPES:
        [found] = detector.detect([picture(size)])
        wanted = answered(detector, folder, picture(size))
        assert len(wanted["scores"]) == len(found.scores) / len(NAMES)
        for box, score, name in zip(
            wanted["boxes"].numpy(), wanted["scores"], wanted["text_labels"], strict=True
        ):
            same = (found.labels == NAMES.index(name)) & (np.abs(found.boxes - box) < 1e-3).all(1)
            assert np.abs(found.scores[same] - float(score)).min() < 1e-5


@pytest.mark.parametrize("kind", ["grounding-dino", "mm-grounding-dino"])
def test_grounding_dino_as_transformers(tmp_path: Path, kind: str) -> None:
    folder = build(kind, tmp_path)
    detector = load(str(folder), categories=NAMES)
    for size in SHAPES:
        [found] = detector.detect([picture(size)])
        wanted = answered(detector, folder, picture(size))
        boxes = found.boxes.reshape(tiny.QUERIES, len(NAMES), 4)
        for place in range(len(NAMES)):
            np.testing.assert_allclose(boxes[:, place], wanted["boxes"].numpy(), rtol=1e-4)
        # its score is that of the best token, of whichever name
        best = found.scores.reshape(-1, len(NAMES)).max(1)
        assert (best <= wanted["scores"].numpy() + 1e-6).all()


def test_one_token_of_one_name(tmp_path: Path) -> None:
    folder = build("grounding-dino", tmp_path)
    [found] = load(str(folder), categories=("cat",)).detect([picture((100, 60))])
    detector = load(str(folder), categories=("cat", "cat"))
    [twice] = detector.detect([picture((100, 60))])
    assert len(found.scores) == tiny.QUERIES
    assert len(twice.scores) == 2 * tiny.QUERIES


def test_tokens_of_names() -> None:
    text, spans = _join_names(["cat", "Red car", "dogs"])
    assert text == "cat. red car. dogs."
    assert [text[a:b] for a, b in spans] == ["cat", "red car", "dogs"]
    offsets = np.array([(0, 0), (0, 3), (3, 4), (5, 8), (9, 12), (12, 13), (14, 17), (17, 18)])
    shares = _token_shares(np.vstack([offsets, [(18, 19), (0, 0)]]), spans)
    assert shares[:, 0].nonzero()[0].tolist() == [1]
    assert shares[:, 1].tolist() == [0, 0, 0, 0.5, 0.5, 0, 0, 0, 0, 0]
    assert shares[:, 2].nonzero()[0].tolist() == [6, 7]
    np.testing.assert_allclose(shares.sum(0), 1)


@pytest.mark.parametrize(
    ("kind", "names", "message"),
    [
        ("owlvit", (), "must be told what to look for; give --classes"),
        ("owlvit", ("cat", "cat " * 15), "has 17 tokens; the detector reads 16"),
        ("grounding-dino", (), "must be told what to look for; give --classes"),
        ("grounding-dino", ("cat", "st. bernard"), "'st. bernard' has a sign that ends a name"),
        ("grounding-dino", ("cat", "\u200b"), "has no token; write it in words"),
        ("grounding-dino", ("cat",) * 16, "34 tokens; the detector reads 32"),
    ],
)
def test_names_that_cannot_be(
    tmp_path: Path, kind: str, names: tuple[str, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        load(str(build(kind, tmp_path)), categories=names)


@pytest.mark.parametrize("kind", tiny.OPEN)
def test_as_many_names_as_it_can_read(tmp_path: Path, kind: str) -> None:
    names = ("cat " * 14,) if kind.startswith("owl") else ("cat",) * 15
    [found] = load(str(build(kind, tmp_path)), categories=names).detect([picture((100, 60))])
    assert set(found.labels.tolist()) == set(range(len(names)))
