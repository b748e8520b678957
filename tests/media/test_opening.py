"""Pictures and clips, as models of either are shown them."""

from pathlib import Path

import pytest
from PIL import Image

from locvlm.errors import InputError
from locvlm.media.clips import Clip
from locvlm.media.opening import is_still, mirror, open_media, still_clip


@pytest.fixture
def gif(tmp_path: Path) -> Path:
    """A red frame, then a blue one; 40 x 30 pixels, blue's left half is black."""
    blue = Image.new("RGB", (40, 30), "blue")
    blue.paste("black", (0, 0, 20, 30))
    path = tmp_path / "clip.gif"
    red = Image.new("RGB", (40, 30), "red")
    red.save(path, save_all=True, append_images=[blue], duration=500)
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.new("RGB", (40, 30), "red").save(path)
    return path


def test_a_model_of_pictures_sees_the_first_frame_of_a_gif(gif: Path) -> None:
    view = open_media(gif, None)
    assert isinstance(view, Image.Image)
    assert view.getpixel((0, 0)) == (255, 0, 0)


def test_a_model_of_clips_sees_all_of_it(gif: Path) -> None:
    view = open_media(str(gif), 4)
    assert isinstance(view, Clip)
    colours = [frame.getpixel((39, 0)) for frame in view.frames]
    assert [colour[0] > 200 for colour in colours] == [True, True, False, False]
    assert view.size == (40, 30)


def test_a_model_of_clips_sees_a_picture_stand_still(photo: Path) -> None:
    for picture in (photo, Image.open(photo)):
        view = open_media(picture, 3)
        assert isinstance(view, Clip)
        assert len(view.frames) == 3
        assert view.frames[2].getpixel((5, 5)) == (255, 0, 0)


def test_a_still_that_is_called_a_clip(photo: Path, tmp_path: Path) -> None:
    for name in ("still.gif", "still.mp4", "still.webp"):
        path = tmp_path / name
        path.write_bytes(photo.read_bytes())
        assert is_still(path)
        image = open_media(path, None, annotated_size=(40, 30))
        assert image.getpixel((5, 5)) == (255, 0, 0)
        view = open_media(path, 3)
        assert isinstance(view, Clip)
        assert view.times == (0, 0, 0)
    gif = tmp_path / "one.mp4"
    Image.new("RGB", (40, 30), "red").save(gif, "GIF")
    assert is_still(gif)
    assert open_media(gif, None).getpixel((5, 5)) == (255, 0, 0)


def test_a_model_of_clips_sees_all_of_an_animated_picture(tmp_path: Path) -> None:
    colours = [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue")]
    for name in ("a.webp", "a.png"):
        colours[0].save(tmp_path / name, save_all=True, append_images=colours[1:], duration=500)
        assert not is_still(tmp_path / name)
        view = open_media(tmp_path / name, 2)
        assert isinstance(view, Clip)
        assert [frame.getpixel((5, 5))[2] > 200 for frame in view.frames] == [False, True]


def test_a_clip_stays_itself(photo: Path) -> None:
    clip = still_clip(Image.open(photo), 2)
    assert open_media(clip, 8) is clip


def test_no_clip_for_a_model_of_pictures(photo: Path) -> None:
    with pytest.raises(InputError, match=r"walk\.mp4: the model reads pictures; name one that"):
        open_media("walk.mp4", None)
    with pytest.raises(InputError, match=r"the given clip: the model reads pictures"):
        open_media(still_clip(Image.open(photo), 2), None)


@pytest.mark.parametrize("frames", [None, 4])
def test_another_size_than_annotated(gif: Path, photo: Path, frames: int | None) -> None:
    for path in (gif, photo):
        assert open_media(path, frames, annotated_size=(40, 30)).size == (40, 30)
        with pytest.raises(InputError, match=r"is 40x30 pixels as displayed, annotated as 30x40"):
            open_media(path, frames, annotated_size=(30, 40))


def test_mirrored_frames(gif: Path) -> None:
    view = mirror(open_media(gif, 2))
    assert isinstance(view, Clip)
    assert view.frames[1].getpixel((0, 0))[2] > 200
    assert view.frames[1].getpixel((39, 0)) == (0, 0, 0)
    assert mirror(view.frames[0]).size == (40, 30)
