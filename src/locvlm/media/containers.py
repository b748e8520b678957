"""Files of clips, opened by PyAV, which decodes with FFmpeg.

FFmpeg would take a text file for a list of others, or a name for an address: only containers of
clips are opened, from files.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from locvlm.errors import InputError
from locvlm.io.reading import one_line
from locvlm.media.signatures import name_kind
from locvlm.media.wholeness import read_boxes

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

LARGEST = 178_956_970  # pixels of a frame
_TRIES = 10  # failures of reading in a row after which a file is at its end
_OPTIONS = {
    "format_whitelist": "asf,avi,flv,gif,matroska,mov,mpeg,mpegts,ogg",
    "protocol_whitelist": "file",
}


def check_pyav() -> None:
    """Raises InputError where PyAV is missing."""
    try:
        import av  # noqa: F401
    except ModuleNotFoundError:
        raise InputError("clips need PyAV; pip install 'locvlm[video]'") from None


@contextmanager
def open_container(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """A clip and its stream of pictures, at the beginning.

    Whatever reading it fails at becomes an InputError that names it.

    Raises:
        InputError: PyAV is missing, or the file is, or it is no clip, or one whose frames have
            more than `LARGEST` pixels.
    """
    check_pyav()
    import av

    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path of the clip")
    try:
        with av.open(
            f"file:{path}", "r", container_options=_OPTIONS, metadata_errors="replace"
        ) as container:
            yield container, _stream(container, path)
    except InputError:
        raise
    except Exception as error:  # on a broken file PyAV raises whatever it stumbles on
        words = getattr(error, "strerror", None) or one_line(str(error)) or type(error).__name__
        if isinstance(error, av.FFmpegError):
            unknown = "unknown format" if isinstance(error, av.ArgumentError) else words
            words = _explain(path) or unknown
        raise InputError(
            f"{path}: not a readable clip ({words}); give a whole MP4, WebM or GIF file"
        ) from error


def _explain(path: Path) -> str:
    """Why FFmpeg cannot open a file, where its first bytes or its boxes say so; else ""."""
    kind = name_kind(path)
    if kind != "a clip":
        return kind
    if b"moov" in read_boxes(path):
        return ""
    return "its index, which is written last, is missing: a recording or download broke off"


def read_packets(container: InputContainer, *streams: VideoStream) -> Iterator[Packet | None]:
    """Each packet in the order of the file, of all its streams where none is given.

    None stands for what cannot be read; reading goes on behind it.
    """
    failures = 0
    while failures < _TRIES:
        try:
            for packet in container.demux(*streams):
                failures = 0
                yield packet
            return
        except Exception:  # FFmpeg's error; or PyAV's own, as where damage looks like a new stream
            failures += 1
            yield None


def _stream(container: InputContainer, path: Path) -> VideoStream:
    """The one a player shows: marked as default, else the largest; no cover, no thumbnails."""
    from av.stream import Disposition

    other = Disposition.attached_pic | Disposition.timed_thumbnails
    streams = [stream for stream in container.streams.video if not stream.disposition & other]
    if not streams:
        raise InputError(f"{path}: has no pictures, perhaps sound alone; give a clip")
    decoded = [stream for stream in streams if stream.codec_context]
    if not decoded:
        raise InputError(f"{path}: PyAV has no decoder for it; give an MP4 file (H.264)")
    chosen = max(
        decoded,
        key=lambda stream: (
            bool(stream.disposition & Disposition.default),
            stream.width * stream.height,
        ),
    )
    if chosen.width * chosen.height > LARGEST:
        raise InputError(
            f"{path}: its frames are {chosen.width} × {chosen.height} pixels, {LARGEST} at "
            "most can be read; give a smaller copy"
        )
    return chosen
