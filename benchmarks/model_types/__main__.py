"""Which of transformers' image-text-to-text models LocVLM can train, each tiny and random.

    PYTHONPATH=src:. python -m benchmarks.model_types --out types.md
    PYTHONPATH=src:.:FOLDER python -m benchmarks.model_types --torchvision --out beside.md

Of each model type (`tiny.py`): the default configuration with small numbers and what
`settings.py` says of the type, its image processor, a tokenizer of some hundred tokens and a chat
template of one line. Then, in a process of its own (`steps.py`): is the folder loaded, where is
its frame from, does a step of LoRA give a finite loss, is the result merged. Where a type cannot be
built so (its defaults fit no small numbers, say), nothing is known of it: that is no refusal by
LocVLM, and the table says so.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import multiprocessing
from pathlib import Path

from benchmarks.model_types.steps import STEPS, try_type

LIMIT_S = 60


def main() -> None:
    """The whole table, a type at a time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--torchvision", action="store_true", help="with the tests' plugin")
    parser.add_argument("--only", nargs="*")
    options = parser.parse_args()
    if options.torchvision:
        importlib.import_module("tests.beside_torchvision")
    from transformers.models.auto import modeling_auto

    names = options.only or sorted(modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES)
    rows = []
    for name in names:
        rows.append(try_apart(name))
        print(name, rows[-1], flush=True)
        write_table(rows, names, options.out)


def write_table(rows: list[dict[str, str]], names: list[str], out: Path) -> None:
    """What is known so far, as Markdown, and as JSON for `page.py`."""
    found = dict(zip(names, rows, strict=False))
    out.with_suffix(".json").write_text(json.dumps(found, indent=1))
    lines = ["| type | " + " | ".join(STEPS) + " | why not |", "|---" * (len(STEPS) + 2) + "|"]
    for name, row in zip(names, rows, strict=False):
        cells = [row.get(step, "") for step in STEPS]
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {row.get('why', '')} |")
    counts = {step: sum(bool(row.get(step)) for row in rows) for step in STEPS}
    total = ", ".join(f"{step} {count}" for step, count in counts.items())
    out.write_text("\n".join([*lines, "", f"Of {len(rows)}: {total}.", ""]))


def try_apart(name: str) -> dict[str, str]:
    """In a process of its own, bounded in time and memory."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=try_type, args=(name, theirs))
    process.start()
    theirs.close()
    row: dict[str, str] = {}
    with contextlib.suppress(EOFError):
        while ours.poll(LIMIT_S):
            row = ours.recv()
            if "done" in row:
                break
    if process.is_alive() and "done" not in row:
        row |= {"why": row.get("why") or f"not done in {LIMIT_S} s"}
        process.kill()
    process.join()
    return row


if __name__ == "__main__":
    main()
