"""A real client of the hub against a small server that speaks its protocol."""

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import redirect_stderr
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet as pq

from locvlm import cli
from locvlm.errors import InputError
from locvlm.evaluation import hub_rows, runner
from locvlm.evaluation.hub_copies import COPIES as TABLE
from locvlm.evaluation.task import Sources
from tests.evaluation.conftest import Scripted

REVISION = "f" * 40
ROW = {"image": "7.jpg", "caption": "The cat is on the mat.", "label": 1, "relation": "on"}


def picture() -> dict[str, object]:
    file = io.BytesIO()
    Image.new("RGB", (32, 24)).save(file, "JPEG")
    return {"bytes": file.getvalue(), "path": None}


def parquet(rows: list[dict[str, object]]) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), file)
    return file.getvalue()


def pope(id: str, category: str, source: str, answer: str) -> dict[str, object]:
    return {
        "id": id,
        "question_id": id,
        "question": f"Is there a {category} dog in the image?",
        "answer": answer,
        "image_source": source,
        "image": picture(),
        "category": category,
    }


COCO = "COCO_val2014_000000000042"
TYPES = {"structural": "query", "semantic": "rel", "detailed": "relS"}
GQA = {"imageId": "n1", "fullAnswer": "It is a dog.", "isBalanced": True, "types": TYPES}
PEOPLE = [{"answer": "red", "answer_confidence": "yes", "answer_id": i} for i in range(1, 11)]
VQA = {
    "question_type": "what color",
    "multiple_choice_answer": "red",
    "answers": PEOPLE,
    "image_id": 42,
    "answer_type": "other",
    "image": picture(),
}
COPIES: dict[str, dict[str, bytes]] = {
    "cambridgeltl/vsr_random": {"test.jsonl": json.dumps(ROW).encode()},
    "lmms-lab/POPE": {
        "README.md": b"",
        "data/test-00000-of-00002.parquet": parquet(
            [pope("1", "random", COCO, "yes"), pope("2", "random", COCO, "no")]
        ),
        "data/test-00001-of-00002.parquet": parquet([pope("1", "popular", COCO, "no")]),
        "Full/random-00000-of-00001.parquet": b"is not read",
    },
    "lmms-lab/GQA": {
        "testdev_balanced_instructions/testdev-00000-of-00001.parquet": parquet(
            [
                {"id": "2", "question": "What is on the bed?", "answer": "dog", **GQA},
                {"id": "10", "question": "Who is it?", "answer": "boy", **GQA},
            ]
        ),
        "testdev_balanced_images/testdev-00000-of-00001.parquet": parquet(
            [{"id": "n1", "image": picture()}]
        ),
    },
    "lmms-lab/VQAv2": {
        "data/validation-00000-of-00001.parquet": parquet(
            [
                {"question_id": 42000, "question": "What colour?", **VQA},
                {"question_id": 42001, "question": "And this?", **VQA},
            ]
        ),
    },
    "lmms-lab/ActivityNetQA": {
        "data/test-00000-of-00001.parquet": parquet(
            [
                {
                    "video_name": "abc",
                    "question": "is it day",
                    "question_id": "v_abc_1",
                    "answer": "yes",
                    "type": "3",
                }
            ]
        ),
    },
}


class Hub(BaseHTTPRequestHandler):
    """Has some data sets."""

    asked: list[str]

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self.wfile.write(self._answer())

    def _answer(self) -> bytes:
        self.asked.append(self.path)
        body = self._found()
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{abs(hash(body)):x}"')
        self.send_header("X-Repo-Commit", REVISION)
        self.end_headers()
        return body

    def _found(self) -> bytes:
        for name, files in COPIES.items():
            if self.path.split("?")[0] == f"/api/datasets/{name}":
                siblings = [{"rfilename": file} for file in files]
                return json.dumps({"id": name, "sha": REVISION, "siblings": siblings}).encode()
            for file, body in files.items():
                if self.path in {
                    f"/datasets/{name}/resolve/{r}/{file}" for r in ("main", REVISION)
                }:
                    return body
        return b""

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""


@pytest.fixture
def hub() -> Iterator[str]:
    Hub.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def ask_apart(endpoint: str, folder: Path, task: str) -> subprocess.CompletedProcess[str]:
    """`locvlm questions` without files, in a process whose client is told where the hub is."""
    pytest.importorskip("huggingface_hub")
    settings = {"HF_ENDPOINT": endpoint, "HF_HOME": str(folder / "cache"), "HF_HUB_OFFLINE": "0"}
    settings |= {"HF_HUB_DISABLE_XET": "1", "no_proxy": "*"}
    command = [sys.executable, "-m", "locvlm", "questions", task, "--out", str(folder / "out")]
    return subprocess.run(
        command, env=os.environ | settings, capture_output=True, text=True, check=False, timeout=120
    )


def ask(endpoint: str, folder: Path, task: str = "vsr") -> subprocess.CompletedProcess[str]:
    """The same in this process, where the client has read its settings already."""
    hub = pytest.importorskip("huggingface_hub")
    command = ["questions", task, "--out", str(folder / "out")]
    said, home = io.StringIO(), folder / "cache"
    values = {"ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_CACHE": str(home / "hub")}
    values["HUGGINGFACE_CO_URL_TEMPLATE"] = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    switches = {"HF_HUB_OFFLINE": False, "HF_HUB_DISABLE_XET": True}
    with pytest.MonkeyPatch.context() as patch, redirect_stderr(said):
        patch.setenv("no_proxy", "*")
        for name, value in (values | switches).items():
            patch.setattr(hub.constants, name, value)
        hub.close_session()  # the next is begun with these settings
        code = cli.main(command)
    hub.close_session()
    return subprocess.CompletedProcess(command, code, stderr=said.getvalue())


def asked(endpoint: str, folder: Path, task: str) -> list[tuple[str, str]]:
    """Ids and pictures of the questions, each of whose pictures is there."""
    done = ask(endpoint, folder, task)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (folder / "out").read_text().splitlines()]
    return [(row["id"], row["image"]) for row in rows]


@pytest.mark.parametrize("ask", [ask, pytest.param(ask_apart, marks=pytest.mark.slow)])
def test_the_file_comes_from_the_hub(hub: str, tmp_path: Path, ask: Any) -> None:
    done = ask(hub, tmp_path, "vsr")
    assert done.returncode == 0, done.stderr
    assert "--questions is not given: test.jsonl of cambridgeltl/vsr_random" in done.stderr
    [row] = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert row["prompt"].endswith("The cat is on the mat.")


@pytest.mark.parametrize("task", ["vsr", "pope"])
def test_a_hub_without_it(hub: str, tmp_path: Path, task: str) -> None:
    done = ask(f"{hub}/elsewhere", tmp_path, task)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert f"task {task} needs --questions; " in line
    assert "cannot be fetched from the hub (" in line
    assert not (tmp_path / "out").exists()


def test_rows_become_official_files(hub: str, tmp_path: Path) -> None:
    """Of several files in one, and once: the second time the hub is not asked."""
    image = f"{COCO}.jpg"
    expected = [
        ("coco_pope_popular/1", image),
        ("coco_pope_random/1", image),
        ("coco_pope_random/2", image),
    ]
    assert asked(hub, tmp_path, "pope") == expected
    folder = tmp_path / "cache/locvlm/lmms-lab--POPE"
    assert [path.name for path in (folder / "pictures").iterdir()] == [image]
    assert not any("Full" in path for path in Hub.asked)
    Hub.asked.clear()
    assert asked(hub, tmp_path, "pope") == expected
    assert Hub.asked == []


def test_a_write_that_was_stopped_goes_on(hub: str, tmp_path: Path) -> None:
    before = asked(hub, tmp_path, "pope")
    folder = tmp_path / "cache/locvlm/lmms-lab--POPE"
    (folder / "copy.json").unlink()
    (folder / "questions/coco_pope_random.json").unlink()
    Hub.asked.clear()
    assert asked(hub, tmp_path, "pope") == before
    assert not any(path.endswith(".parquet") for path in Hub.asked)


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("gqa", [("2", "n1.jpg"), ("10", "n1.jpg")]),
        ("vqav2", [("42000", f"{COCO}.jpg"), ("42001", f"{COCO}.jpg")]),
        ("activitynet-qa", [("v_abc_1", "v_abc.mp4")]),
    ],
)
def test_other_copies(hub: str, tmp_path: Path, task: str, expected: list[object]) -> None:
    assert asked(hub, tmp_path, task) == expected


def test_other_columns(hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = "data/validation-00000-of-00001.parquet"
    monkeypatch.setitem(COPIES["lmms-lab/VQAv2"], file, parquet([{"question": "Why?"}]))
    done = ask(hub, tmp_path, "vqav2")
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "lmms-lab/VQAv2 on the hub has no column question_id, image_id" in line


def test_a_run_without_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model is asked about the copy's pictures, and the same rows score its answers."""
    [rows] = TABLE["pope"].rows
    row = pope("1", "random", COCO, "yes")
    hub_rows._write_rows(rows, iter([row]), tmp_path / "copy")
    monkeypatch.setattr(hub_rows, "write_copy", lambda copy: tmp_path / "copy")
    model = Scripted({(0, 0, 0): {str(row["question"]): "Yes"}}, lambda question, ideal: ideal)
    result = runner.evaluate(model, "pope", Sources(), tmp_path / "out")
    assert result["data"] == "coco_pope_random.json"
    assert result["files"].keys() == {"questions"}
    assert result["scores"]["accuracy"]["value"] == 1


@pytest.mark.parametrize("name", ["../../out", "/out"])
def test_names_stay_in_the_folder(tmp_path: Path, name: str) -> None:
    [rows] = TABLE["pope"].rows
    with pytest.raises(InputError):
        hub_rows._write_rows(rows, iter([pope("1", "random", name, "yes")]), tmp_path / "copy")
    assert not (tmp_path / "out.jpg").exists()
