"""HTTP answers of servers that nobody vouches for: bounded in size, unpacked, and in time."""

from __future__ import annotations

import socket
import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import urllib3

_CHUNK = 1 << 16  # bytes
_GZIP_OR_ZLIB, _BARE = 47, -15  # window bits, in zlib's words
_PLAIN, _PACKED = ("", "identity"), ("gzip", "x-gzip", "deflate")


class UnboundedError(Exception):
    """The answer is larger, or takes longer, than any that is wanted."""


@dataclass(frozen=True)
class Limits:
    """What an answer may take."""

    size: int  # bytes, also when it is unpacked
    seconds: float  # from the end of the request to the end of the answer


@dataclass(frozen=True)
class HttpAnswer:
    """All of it."""

    status: int
    headers: Mapping[str, str]
    data: bytes  # unpacked


@dataclass
class _Clock(threading.local):
    """Ends the connection of this thread's request when the time is up, whatever it waits for.

    A time limit per read would not do: one byte before each of them makes an answer endless.
    """

    timer: threading.Timer | None = None
    over: threading.Event = field(default_factory=threading.Event)

    def watch(self, sock: socket.socket, seconds: float) -> None:
        self.stop()
        self.over = threading.Event()
        self.timer = threading.Timer(seconds, _hang_up, (sock, self.over))
        self.timer.daemon = True
        self.timer.start()

    def stop(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


def _hang_up(sock: socket.socket, over: threading.Event) -> None:
    over.set()
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:  # it has ended by itself
        return


class BoundedPool:
    """Connections whose answers are bounded. Several threads may use them.

    Args:
        limits: of each answer.
        proxy: its URL; None: none.
        options: of urllib3's pools.
    """

    def __init__(self, limits: Limits, proxy: str | None = None, **options: Any) -> None:
        import urllib3

        self._limits, self._clock = limits, _Clock()
        self._pool = (
            urllib3.PoolManager(**options)
            if proxy is None
            else urllib3.ProxyManager(proxy, **options)
        )
        self._pool.pool_classes_by_scheme = _watched_pools(self._clock, limits.seconds)

    def post(self, address: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        """The answer to one request, whatever its status; none is followed elsewhere.

        Raises:
            UnboundedError: it is beyond the limits.
            urllib3.exceptions.HTTPError: there is none.
        """
        from urllib3.exceptions import HTTPError

        response = None
        try:
            response = self._pool.request(
                "POST", address, body=body, headers=headers, retries=False, preload_content=False
            )
            data = self._read(response)
        except HTTPError:
            if self._clock.over.is_set():
                raise self._too_slow() from None
            raise
        finally:
            self._clock.stop()
            if response is not None:
                response.release_conn()
        return HttpAnswer(response.status, response.headers, data)

    def _read(self, response: urllib3.BaseHTTPResponse) -> bytes:
        most, parts, size = self._limits.size, [], 0
        while part := response.read(_CHUNK, decode_content=False):
            parts.append(part)
            size += len(part)
            if size > most:
                response.close()
                raise self._too_large()
        if self._clock.over.is_set():  # a connection that ends may end an answer, too
            raise self._too_slow()
        packing = response.headers.get("Content-Encoding", "").strip().lower()
        return self._unpack(b"".join(parts), packing)

    def _unpack(self, data: bytes, packing: str) -> bytes:
        from urllib3.exceptions import DecodeError

        if packing in _PLAIN or not data:
            return data
        if packing not in _PACKED:  # none was asked for
            raise DecodeError(f"Content-Encoding {packing[:20]}")
        try:
            return self._inflate(data, _GZIP_OR_ZLIB)
        except zlib.error:
            pass
        try:
            return self._inflate(data, _BARE)
        except zlib.error as error:
            raise DecodeError(str(error)) from None

    def _inflate(self, data: bytes, bits: int) -> bytes:
        """What is packed in it, in one member or several, and never more than is wanted."""
        most, out = self._limits.size, b""
        while data:
            unpacker = zlib.decompressobj(bits)
            out += unpacker.decompress(data, most + 1 - len(out))
            if len(out) > most:
                raise self._too_large()
            if not unpacker.eof:
                raise zlib.error("it ends too early")
            data = unpacker.unused_data
        return out

    def _too_large(self) -> UnboundedError:
        return UnboundedError(f"an answer of more than {self._limits.size >> 20} MiB")

    def _too_slow(self) -> UnboundedError:
        return UnboundedError(f"an answer that takes more than {self._limits.seconds:g} seconds")


def _watched_pools(clock: _Clock, seconds: float) -> dict[str, Any]:
    """urllib3's pools, whose connections start the clock once a request is sent."""
    from urllib3 import HTTPConnectionPool, HTTPSConnectionPool

    def watched(kind: Any) -> Any:
        class Watched(kind):  # type: ignore[misc]
            def getresponse(self) -> Any:
                clock.watch(self.sock, seconds)
                return super().getresponse()

        return Watched

    class Plain(HTTPConnectionPool):
        ConnectionCls = watched(HTTPConnectionPool.ConnectionCls)

    class Encrypted(HTTPSConnectionPool):
        ConnectionCls = watched(HTTPSConnectionPool.ConnectionCls)

    return {"http": Plain, "https": Encrypted}
