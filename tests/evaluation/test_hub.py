"""A real client of the hub against a small server that speaks its protocol."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

FILE = "/datasets/cambridgeltl/vsr_random/resolve/main/test.jsonl"
ROW = {"image": "7.jpg", "caption": "The cat is on the mat.", "label": 1, "relation": "on"}


class Hub(BaseHTTPRequestHandler):
    """Has one file."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self.wfile.write(self._answer())

    def _answer(self) -> bytes:
        body = json.dumps(ROW).encode() if self.path == FILE else b""
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"0123"')
        self.send_header("X-Repo-Commit", "f" * 40)
        self.end_headers()
        return body

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""


@pytest.fixture
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def ask(endpoint: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """`locvlm questions vsr` without its file. The client reads its settings when imported."""
    pytest.importorskip("huggingface_hub")
    settings = {"HF_ENDPOINT": endpoint, "HF_HOME": str(folder / "cache"), "HF_HUB_OFFLINE": "0"}
    settings |= {"HF_HUB_DISABLE_XET": "1", "no_proxy": "*"}
    command = [sys.executable, "-m", "locvlm", "questions", "vsr", "--out", str(folder / "out")]
    return subprocess.run(
        command, env=os.environ | settings, capture_output=True, text=True, check=False, timeout=120
    )


def test_the_file_comes_from_the_hub(hub: str, tmp_path: Path) -> None:
    done = ask(hub, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "--questions is not given: test.jsonl of cambridgeltl/vsr_random" in done.stderr
    [row] = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert row["prompt"].endswith("The cat is on the mat.")


def test_a_hub_without_it(hub: str, tmp_path: Path) -> None:
    done = ask(f"{hub}/elsewhere", tmp_path)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "task vsr needs --questions; test.jsonl of cambridgeltl/vsr_random" in line
    assert not (tmp_path / "out").exists()
