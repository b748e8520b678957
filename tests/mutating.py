"""Own files changed by chance, as a slip, a broken disk or malice may: other types, keys, depth.

`LOCVLM_MUTATIONS=2000 pytest …` makes more of them than the hundred of every day.
"""

import copy
import json
import os
import random
from collections.abc import Iterator
from typing import Any

COUNT = int(os.environ.get("LOCVLM_MUTATIONS", "100"))
VALUES: list[Any] = [
    None, True, 0, -1, 3, 1e308, -1e308, 0.5, 2**63, 10**399, int("7" * 4000), "", "x", "\0",
    "../x", "a" * 5000, "1", "[b]", "[/b]", "\x1b[2J", "é", [], {}, [[]], {"": 0}, [None], [1, 2],
    ["a", "a"], {"x": {"y": 1}}, [-1.5] * 3, "nfp", "tiny",
]  # fmt: skip


def mutate_json(tree: Any, count: int = COUNT, seed: int = 0) -> Iterator[bytes]:
    """The bytes of a JSON file, each time with a thing or two changed."""
    rng = random.Random(seed)
    yield from (b"", b"null", b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe", b"\xef\xbb\xbf")
    yield b'{"a": ' + b"[" * 300 + b"]" * 300 + b"}"
    for _ in range(count):
        changed = copy.deepcopy(tree)
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            changed = change(changed, rng)
        data = json.dumps(changed, ensure_ascii=rng.random() < 0.5).encode(errors="replace")
        yield break_bytes(data, rng) if rng.random() < 0.15 else data


def change(tree: Any, rng: random.Random) -> Any:
    """One place of a tree with another value, or without it."""
    places = list(_places(tree))
    if not places:
        return rng.choice(VALUES)
    holder, key = rng.choice(places)
    way = rng.random()
    if way < 0.2:
        del holder[key]
    elif way < 0.3 and isinstance(holder, dict):
        holder[rng.choice(["", "x", "\0", "id", f"{key}2"])] = holder.pop(key)
    elif way < 0.4:
        holder[key] = [holder[key]]
    else:
        holder[key] = copy.deepcopy(rng.choice(VALUES))
    return tree


def break_bytes(data: bytes, rng: random.Random) -> bytes:
    """Cut off, or with a few bytes of noise."""
    place = rng.randrange(len(data) + 1)
    noise = rng.choice((b"", b"\xff", b"\x00", b"\xed\xa0\x80", b"9" * 400, b"1e999", b"[" * 5000))
    return data[:place] + noise + (b"" if rng.random() < 0.3 else data[place:])


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every value's holder and its key there."""
    keys = tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in list(keys):
        yield tree, key
        yield from _places(tree[key])
