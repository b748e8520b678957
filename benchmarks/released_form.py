"""Write detection annotations in the form of the released COCO-Spatial, by its rule.

    python benchmarks/released_form.py instances_val.json --out released
    locvlm eval --task coco-spatial-released --questions released --images images …

For tools that read that form; `locvlm eval` takes `--annotations` as well. Prints how many pairs
there are in how many pictures.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from locvlm import annotations as readers
from locvlm.evaluation.questions.separate_pairs import find_pairs, released_form
from locvlm.evaluation.tasks.coco_spatial_released import RELEASED
from locvlm.io.atomic import atomic_write, ensure_dir


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("annotations", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="a folder")
    given = parser.parse_args()
    data = readers.read(readers.detect_format(given.annotations)[0], given.annotations)
    for axis, name in zip(("left-right", "above-below"), RELEASED, strict=True):
        images = [find_pairs(image, axis) for image in data.images]
        with atomic_write(ensure_dir(given.out) / name) as file:
            file.write(json.dumps(released_form(images, data.categories)).encode())
        pairs = [len(image.pairs) for image in images if image.pairs]
        print(f"{given.out / name}: {sum(pairs)} pairs, {len(pairs)} pictures of {len(images)}")


if __name__ == "__main__":
    main()
