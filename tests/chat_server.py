"""A real HTTP server on this machine that answers as a script says."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Answer:
    """One response; a text is the reply of a model, bytes are the body as it is."""

    body: str | bytes = ""
    status: int = 200
    wait: float = 0.0  # seconds before it comes
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False  # ends before its announced length
    finish: str = "stop"  # why the model's reply ends
    trickle: float = 0.0  # seconds before each byte
    trickle_headers: bool = False  # those of the status line, too
    times: int = 1  # that the body comes

    def encoded(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        choice = {"message": {"content": self.body}, "finish_reason": self.finish}
        return json.dumps({"choices": [choice]}).encode()


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def prompt(self) -> str:
        return self.body["messages"][0]["content"]


@dataclass
class Server:
    url: str
    requests: list[Request]
    most_at_once: int = 0


@contextmanager
def serving(script: Callable[[int, Request], Answer]) -> Iterator[Server]:
    """`script` gets the number of the request, from 0, and the request."""
    lock, busy = threading.Lock(), [0]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            request = Request(self.path, dict(self.headers), body)
            with lock:
                number = len(server.requests)
                server.requests.append(request)
                busy[0] += 1
                server.most_at_once = max(server.most_at_once, busy[0])
            answer = script(number, request)
            time.sleep(answer.wait)
            with lock:
                busy[0] -= 1
            data = answer.encoded()
            try:
                if answer.trickle_headers:
                    self.dribble(b"HTTP/1.1 200 OK\r\nX-Pad: " + b"a" * 4096, answer.trickle)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                length = len(data) * answer.times + 10 * answer.cut
                self.send_header("Content-Length", str(length))
                self.end_headers()
                if answer.trickle:
                    self.dribble(data, answer.trickle)
                else:
                    for _ in range(answer.times):
                        self.wfile.write(data)
            except OSError:  # who asked has gone away
                self.close_connection = True
            if answer.cut:
                self.close_connection = True

        def dribble(self, data: bytes, seconds: float) -> None:
            for byte in data:
                self.wfile.write(bytes([byte]))
                time.sleep(seconds)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server = Server(f"http://127.0.0.1:{http.server_port}/v1", [])
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
