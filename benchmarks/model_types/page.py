"""Both worlds in one table, for the docs.

    PYTHONPATH=src:. python -m benchmarks.model_types.page plain.json beside.json > table.md

The files are those that `python -m benchmarks.model_types` writes beside its tables, without
torchvision and with it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

Row = dict[str, str]
REASONS = 110  # characters


def main() -> None:
    """Print the table and its counts."""
    plain, beside = (json.loads(Path(name).read_text()) for name in sys.argv[1:3])
    print("| model type | frame | without torchvision | with it | why not |\n|---|---|---|---|---|")
    for name in sorted(plain | beside):
        print(describe(name, plain.get(name, {}), beside.get(name, {})))
    for world, rows in (("without torchvision", plain), ("with it", beside)):
        trained = sum(how_far(row) == "trains, merges" for row in rows.values())
        print(f"\n{trained} of {len(rows)} train and merge {world}.")


def describe(name: str, plain: Row, beside: Row) -> str:
    """A line of the table."""
    frame = beside.get("frame") or plain.get("frame") or "–"
    why = beside.get("why") or plain.get("why") or ""
    if len(why) > REASONS:
        why = why[: REASONS - 1] + "…"
    return f"| `{name}` | {frame} | {how_far(plain)} | {how_far(beside)} | {why} |"


def how_far(row: Row) -> str:
    """The last step that was done, in words."""
    if row.get("merges"):
        return "trains, merges"
    if row.get("trains"):
        return "trains"
    if row.get("why", "").startswith("refused"):
        return "refused"
    return "not built" if not row.get("built") else "fails"


if __name__ == "__main__":
    main()
