"""Both worlds in one page, for the docs.

    PYTHONPATH=src:. python -m benchmarks.model_types.page plain.json beside.json > models.md

The files are those that `python -m benchmarks.model_types` writes beside its tables, without
torchvision and with it.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from pathlib import Path

Row = dict[str, str]


def main() -> None:
    """Print who trains, by world and frame, then each that doesn't and why."""
    plain, beside = (json.loads(Path(name).read_text()) for name in sys.argv[1:3])
    trained, others = defaultdict(list), []
    for name, row in beside.items():
        if row.get("merges"):
            trained[bool(plain.get(name, {}).get("merges")), row["frame"]].append(name)
        else:
            others.append(f"| `{name}` | {reason_of(row)} |")
    print("| torchvision | frame | types |\n|---|---|---|")
    for (alone, frame), names in sorted(trained.items(), reverse=True):
        world = "with or without" if alone else "with it alone"
        print(f"| {world} | {frame} | {', '.join(names)}: {len(names)} |")
    print("\n| type | why not |\n|---|---|", *others, sep="\n")
    for world, rows in (("without torchvision", plain), ("with it", beside)):
        count = sum(bool(row.get("merges")) for row in rows.values())
        print(f"\n{count} of {len(rows)} train and merge {world}.")


def reason_of(row: Row) -> str:
    """In few words; where LocVLM refuses it, those of its message that say why."""
    why = row.get("why", "")
    if not why.startswith("refused: "):
        return f"not tried to its end here: {why[:80]}"
    text = re.sub(r"^refused: (a model of type \S+ )?", "", why)
    return f"refused: {text.partition(';')[0]}"


if __name__ == "__main__":
    main()
