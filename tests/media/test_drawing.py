import numpy as np
import pytest
from PIL import Image

from locvlm.geometry import Box, Point
from locvlm.media.drawing import draw

RED = (255, 0, 0)
SIZES = [(1, 1), (3000, 1), (1, 3000), (40, 30), (384, 256), (4000, 3000)]


def blue(width: int, height: int) -> Image.Image:
    return Image.new("RGB", (width, height), "blue")


def painted(image: Image.Image) -> np.ndarray:
    """(H, W) True where something is drawn on a blue picture."""
    return (np.asarray(image) != (0, 0, 255)).any(-1)


def test_nothing_to_draw():
    image = blue(9, 9)
    found = draw(image, [])
    assert found is not image
    assert not painted(found).any()


def test_the_original_stays():
    image = blue(60, 60)
    draw(image, [(Box(1, 1, 50, 50), "dog", "red")])
    assert not painted(image).any()


def test_a_box_is_outlined_inside_its_edges():
    marks = [(Box(10, 20, 30, 60), "", "red")]
    found = np.asarray(draw(blue(100, 80), marks))
    rows, columns = np.nonzero((found == RED).all(-1))
    assert (columns.min(), rows.min(), columns.max(), rows.max()) == (10, 20, 29, 59)
    assert tuple(found[40, 20]) == (0, 0, 255)  # not filled


def test_a_point_is_filled_around_it():
    found = draw(blue(100, 80), [(Point(50, 40), "", "red")])
    assert found.getpixel((50, 40)) == RED
    assert painted(found).sum() < 100


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("label", ["", "dog", "a very long label " * 20])
def test_any_size_and_label(size: tuple[int, int], label: str):
    places = [Box(0, 0, *size), Point(*size), Box(9, 9, 9, 9)]
    found = draw(blue(*size), [(place, label, "#e6194b") for place in places])
    assert found.size == size
    assert painted(found).any()


@pytest.mark.parametrize("size", [(384, 256), (4000, 3000)])
@pytest.mark.parametrize("corner", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_labels_stay_inside(size: tuple[int, int], corner: tuple[int, int]):
    """Wherever the location is, even beyond the border, as much of its label is seen."""
    marks = [(Point(3 * size[0] * corner[0], 3 * size[1] * corner[1]), "traffic light", "red")]
    center = [(Point(size[0] / 2, size[1] / 2), "traffic light", "red")]
    found, wanted = (painted(draw(blue(*size), m)).sum() for m in (marks, center))
    assert 0.8 * wanted < found <= wanted


def test_letters_grow_with_the_picture():
    sizes = [(200, 150), (400, 300), (2000, 1500)]
    marks = [(Point(50, 100), "dog", "red")]
    shares = [painted(draw(blue(*s), marks)).mean() for s in sizes]
    assert max(shares) < 2 * min(shares)


def test_a_dark_label_has_light_letters():
    image = blue(384, 256)
    dark = np.asarray(draw(image, [(Point(99, 99), "dog", "black")]))
    light = np.asarray(draw(image, [(Point(99, 99), "dog", "yellow")]))
    assert (dark == 255).all(-1).any()
    assert (light == 0).all(-1).any()


def test_gray_pictures_get_colour():
    assert draw(Image.new("L", (50, 50)), [(Point(25, 25), "", "red")]).getpixel((25, 25)) == RED


def test_a_label_of_several_lines_is_drawn_on_one() -> None:
    photo = Image.new("RGB", (200, 100))
    marks = [
        (Box(10, 30, 60, 80), label, "#e6194b") for label in ("a dog\n\non grass", "a dog on grass")
    ]
    assert draw(photo, marks[:1]).tobytes() == draw(photo, marks[1:]).tobytes()
