"""How near a model's descriptions of objects come to people's words, with and without pseudo-data.

    python benchmarks/pseudo_describe.py --annotations instances_val.json \
        --captions captions_val.json --images photos  without/model with/model

Nobody has described the objects of a detection data set. But people's captions of the pictures name
some of them: an object is asked about if it is the only one of its category in its picture and at
least one caption names that. Those captions are the references. The figures are METEOR and CIDEr
(0 … 10), with 95 % intervals, the share of answers that name the category, and words per answer.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import locvlm
from locvlm import annotations as readers
from locvlm.evaluation.metrics import captions
from locvlm.geometry import Box
from locvlm.media.images import open_image
from locvlm.progress import track


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("annotations", "captions", "images"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("models", nargs="+")
    given = parser.parse_args()
    data = readers.read(
        "coco", given.annotations, images=given.images, captions=str(given.captions)
    )
    asked = [
        (given.images / image.file_name, (image.width, image.height), found)
        for image in data.images
        if (found := list(_described(image)))
    ]
    count = sum(len(found) for _, _, found in asked)
    print(f"{count} objects of {len(asked)} pictures")
    print("| model | METEOR | CIDEr | names the category | words |\n|---|---|---|---|---|")
    for name in given.models:
        _report(name, asked)


def _described(image) -> list[tuple[str, Box, list[str]]]:
    """Objects with the captions that name them."""
    for item in image.single_instances():
        words = re.compile(rf"\b{re.escape(item.category)}(?:s|es)?\b", re.IGNORECASE)
        if references := [text for text in image.captions if words.search(text)]:
            yield item.category, item.box, references


def _report(name: str, asked: list) -> None:
    model = locvlm.load(name)
    pairs, named, words = [], 0, 0
    for path, size, objects in track(asked, f"Describing · {name}"):
        answers = model.describe_many(open_image(path, size), [box for _, box, _ in objects])
        for answer, (category, _, references) in zip(answers, objects, strict=True):
            pairs.append((answer, references))
            named += category in answer.lower()
            words += len(answer.split())
    scores = captions.scores({"objects": pairs}, seed=0)
    cells = [
        f"{score.value:.3f} ({score.low:.3f}–{score.high:.3f})"
        for score in (scores["objects/METEOR"], scores["objects/CIDEr"])
    ]
    share, length = named / len(pairs), words / len(pairs)
    print(f"| {name} | {cells[0]} | {cells[1]} | {share:.1%} | {length:.1f} |", flush=True)


if __name__ == "__main__":
    main()
