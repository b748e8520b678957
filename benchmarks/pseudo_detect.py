"""How right are pseudo-boxes and pseudo-absences? Against the labels that were hidden.

    locvlm pseudo detect --images photos --out seen.json
    python benchmarks/pseudo_detect.py seen.json --truth instances_val.json

A box is right where an object of its category, each once, has an IoU of 0.5 with it; crowds count
for neither. A single one, which may be asked for, is right where it is the only one. Categories of
both files are compared, and the pictures of both.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from locvlm import annotations as readers
from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.geometry import iou

RIGHT = 0.5  # IoU


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seen", type=Path)
    parser.add_argument("--truth", type=Path, required=True)
    given = parser.parse_args()
    seen, truth = (readers.read(readers.detect_format(p)[0], p) for p in (given.seen, given.truth))
    counts = compare(seen, truth)
    print("| | n | precision | n | recall |\n|---|---|---|---|---|")
    for what in ("boxes", "single ones", "absences"):
        right = counts[f"{what} right"]
        found, there = counts[f"{what} found"], counts[f"{what} there"]
        shares = f"{right / max(found, 1):.1%} | {there} | {right / max(there, 1):.1%}"
        print(f"| {what} | {found} | {shares} |")


def compare(seen: AnnotationSet, truth: AnnotationSet) -> Counter[str]:
    """How many boxes, single ones and absences were found, are there, and are right."""
    names = [name for name in truth.categories if name in seen.categories]
    wanted = {image.file_name: image for image in truth.images}
    counts: Counter[str] = Counter()
    for image in seen.images:
        if image.file_name in wanted:
            _compare(image, wanted[image.file_name], names, truth.categories, counts)
    return counts


def _compare(
    seen: AnnotatedImage,
    truth: AnnotatedImage,
    names: Sequence[str],
    categories: Sequence[str],
    counts: Counter[str],
) -> None:
    absent = set(truth.absent_of(categories)) & set(names)
    said = set(seen.absent_of(names)) & set(names)
    counts.update({"absences found": len(said), "absences there": len(absent)})
    counts["absences right"] += len(said & absent)
    ours, theirs = ({item.category: item for item in i.single_instances()} for i in (seen, truth))
    for name in names:
        found, there = ([items[name].box] if name in items else [] for items in (ours, theirs))
        counts.update({"single ones found": len(found), "single ones there": len(there)})
        counts["single ones right"] += _right(found, there)
    for name in names:
        if any(item.crowd and item.category == name for item in truth.objects):
            continue
        found = [item.box for item in seen.objects if item.category == name]
        there = [item.box for item in truth.objects if item.category == name]
        counts.update({"boxes found": len(found), "boxes there": len(there)})
        counts["boxes right"] += _right(found, there)


def _right(found: Sequence, there: Sequence) -> int:
    """Matches, the best first; the found come with the surest first."""
    if not found or not there:
        return 0
    overlaps = iou(*([(b.x1, b.y1, b.x2, b.y2) for b in boxes] for boxes in (found, there)))
    right = 0
    for row in overlaps:
        if row.max() >= RIGHT:
            right += 1
            overlaps[:, int(np.argmax(row))] = 0
    return right


if __name__ == "__main__":
    main()
