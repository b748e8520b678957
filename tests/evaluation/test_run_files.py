from dataclasses import dataclass

import pytest

from locvlm.errors import InputError
from locvlm.evaluation import run_files
from locvlm.io.json_rows import append_rows, drop_torn_line, json_rows, write_json


@dataclass
class Row:
    id: str
    n: int = 0


def read(path):
    return [row for _, row in json_rows(path, Row, "rows")]


def test_rows_come_back(tmp_path):
    path = tmp_path / "rows.jsonl"
    append_rows(path, [])
    assert read(path) == []
    append_rows(path, [Row("a", 1)])
    append_rows(path, [Row("b\n\u2028é", 2)])
    assert read(path) == [Row("a", 1), Row("b\n\u2028é", 2)]


def test_a_torn_last_line_is_dropped_and_only_that(tmp_path):
    path = tmp_path / "rows.jsonl"
    drop_torn_line(path)
    assert not path.exists()
    path.write_bytes(b'{"id":"a"}\n{"id":"b"}\n{"id":"c')
    drop_torn_line(path)
    assert read(path) == [Row("a"), Row("b")]
    path.write_bytes(b'{"id":"a')
    drop_torn_line(path)
    assert path.read_bytes() == b""


def test_another_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"scored\.jsonl: cannot be read"):
        run_files.read_scored(tmp_path)
    (tmp_path / run_files.SCORED).write_bytes(b'{"id":1}\n')
    with pytest.raises(InputError, match=r"scored\.jsonl: line 1: not a row of scored answers"):
        run_files.read_scored(tmp_path)
    with pytest.raises(InputError, match="not a file that"):
        run_files.read_json(tmp_path / run_files.SCORED, Row)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "scores.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert run_files.read_json(path, dict) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]
