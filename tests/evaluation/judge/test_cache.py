import threading
from pathlib import Path

import pytest

from locvlm.errors import InputError
from locvlm.evaluation.judge.cache import CachedReply, ReplyCache


def row(key: str, reply: str) -> CachedReply:
    return CachedReply(key, "q", "t", "p", reply)


def test_nothing_yet(tmp_path: Path) -> None:
    assert ReplyCache(tmp_path / "c.jsonl").replies("a") == []
    assert not (tmp_path / "c.jsonl").exists()


def test_replies_stay_in_their_order(tmp_path: Path) -> None:
    cache = ReplyCache(tmp_path / "c.jsonl")
    for key, reply in [("a", "1"), ("b", "2\n{"), ("a", "3")]:
        cache.add(row(key, reply))
    for again in (cache, ReplyCache(tmp_path / "c.jsonl")):
        assert again.replies("a") == ["1", "3"]
        assert again.replies("b") == ["2\n{"]
        assert again.replies("c") == []


def test_a_torn_last_line_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    ReplyCache(path).add(row("a", "1"))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:-9])
    cache = ReplyCache(path)
    cache.add(row("b", "2"))
    assert ReplyCache(path).replies("a") == ["1"]
    assert ReplyCache(path).replies("b") == ["2"]


def test_another_file(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text('{"id": 1}\n')
    with pytest.raises(InputError, match="line 1"):
        ReplyCache(path)


def test_threads(tmp_path: Path) -> None:
    cache = ReplyCache(tmp_path / "c.jsonl")
    threads = [
        threading.Thread(target=lambda i=i: [cache.add(row(str(i), str(n))) for n in range(50)])
        for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    again = ReplyCache(tmp_path / "c.jsonl")
    assert all(again.replies(str(i)) == [str(n) for n in range(50)] for i in range(8))
