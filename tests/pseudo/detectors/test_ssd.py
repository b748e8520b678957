"""SSD: all that it sees down to a score, and what it needs."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from locvlm.errors import InputError
from locvlm.models.sources import SSD_GRAPH, cache_dir
from locvlm.pseudo.detectors import load, ssd

GRAPH = """
  attr {
    key: "confidence_threshold"
    value {
      f: 1e-08
    }
  }
  attr {
    key: "keep_top_k"
    value {
      i: 100
    }
  }
  attr {
    key: "num_classes"
    value {
      i: 91
    }
  }
  attr {
    key: "top_k"
    value {
      i: 100
    }
  }
"""


def test_all_that_it_sees() -> None:
    told = ssd._lift_limits(GRAPH, 0.1).split()
    assert told.count("100") == 0
    assert told[told.index('"confidence_threshold"') + 4] == "0.100000000"
    assert told[told.index('"keep_top_k"') + 4] == str(2034 * 91)
    assert told[told.index('"top_k"') + 4] == "2034"
    assert told[told.index('"num_classes"') + 4] == "91"


def test_background_is_never_told() -> None:
    assert "f: 0.000000010" in ssd._lift_limits(GRAPH, 0.0)  # zeros fill the network's output


def test_without_opencv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(InputError, match=r"needs OpenCV .*pip install 'locvlm\[detect\]', or name"):
        load("ssd")


def test_opencv_that_is_too_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", SimpleNamespace(__version__="5.0.0-pre"))
    with pytest.raises(InputError, match="needs OpenCV 4, not 5.0.0-pre; pip install"):
        load("ssd")


@pytest.fixture(scope="module")
def detector() -> ssd.Ssd:
    pytest.importorskip("cv2")
    if not (cache_dir() / "sources" / SSD_GRAPH.sha256[:16]).is_dir():
        pytest.skip("the weights are not in the cache")
    return ssd.Ssd(min_score=0.01)


def noise(size: tuple[int, int]) -> Image.Image:
    rng = np.random.default_rng(size)
    small = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
    return small.resize(size, Image.Resampling.BICUBIC)


def test_categories(detector: ssd.Ssd) -> None:
    assert len(set(detector.categories)) == 80
    assert {"person", "dog", "toothbrush"} < set(detector.categories)
    assert "street sign" not in detector.categories


def test_more_than_the_best_hundred(detector: ssd.Ssd) -> None:
    [found] = detector.detect([noise((100, 60))])
    assert len(found.scores) > 100
    assert found.scores.min() > 0.01
    assert set(found.labels.tolist()) <= set(range(80))


def test_fewer_from_a_higher_score(detector: ssd.Ssd) -> None:
    [everything] = detector.detect([noise((100, 60))])
    [found] = ssd.Ssd(min_score=0.05).detect([noise((100, 60))])
    wanted = everything.scores[everything.scores > 0.05]
    np.testing.assert_allclose(np.sort(found.scores), np.sort(wanted), rtol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (1, 1000), (3, 40), (1000, 30), (640, 480)])
def test_boxes_in_pixels_of_the_picture(detector: ssd.Ssd, size: tuple[int, int]) -> None:
    """The network sees a square, whatever it is stretched from."""
    square = noise(size).resize((ssd.SIDE, ssd.SIDE), Image.Resampling.BILINEAR)
    [found], [wanted] = detector.detect([noise(size)]), detector.detect([square])
    assert len(found.boxes)
    np.testing.assert_array_equal(found.scores, wanted.scores)
    np.testing.assert_allclose(found.boxes / [*size, *size], wanted.boxes / ssd.SIDE)
