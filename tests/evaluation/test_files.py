from dataclasses import dataclass

import pytest

from locvlm.errors import InputError
from locvlm.evaluation import files


@dataclass
class Row:
    id: str
    n: int = 0


def test_rows_come_back(tmp_path):
    path = tmp_path / "rows.jsonl"
    files.append_rows(path, [])
    assert files.read_rows(path, Row) == []
    files.append_rows(path, [Row("a", 1)])
    files.append_rows(path, [Row("b\n\u2028é", 2)])
    assert files.read_rows(path, Row) == [Row("a", 1), Row("b\n\u2028é", 2)]


def test_a_torn_last_line_is_dropped_and_only_that(tmp_path):
    path = tmp_path / "rows.jsonl"
    files.drop_torn_line(path)
    assert not path.exists()
    path.write_bytes(b'{"id":"a"}\n{"id":"b"}\n{"id":"c')
    files.drop_torn_line(path)
    assert files.read_rows(path, Row) == [Row("a"), Row("b")]
    path.write_bytes(b'{"id":"a')
    files.drop_torn_line(path)
    assert path.read_bytes() == b""


def test_errors_name_file_and_line(tmp_path):
    path = tmp_path / "rows.jsonl"
    with pytest.raises(InputError, match=r"rows\.jsonl: cannot be read"):
        files.read_rows(path, Row)
    path.write_bytes(b'{"id":"a"}\n{"id":1}\n')
    with pytest.raises(InputError, match=r"rows\.jsonl, line 2: not a row"):
        files.read_rows(path, Row)
    with pytest.raises(InputError, match="not a file that"):
        files.read_json(path, Row)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "scores.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        files.write_json(path, {"a": object()})
    assert files.read_json(path, dict) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]
