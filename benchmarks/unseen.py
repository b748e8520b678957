"""How much of annotated pictures a model does not see: of its objects, and of built questions.

    python benchmarks/unseen.py INSTANCES.json IMAGES [--model FOLDER] [--side 336]

Without a model: CLIP's processor (shortest edge, center crop) as LLaVA-1.5 has it, and the same
stretched, as a model of `parts` has it and `whole_images: true` makes it.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
from pathlib import Path
from typing import Any

from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from locvlm.annotations.coco import read_coco
from locvlm.instructions.build import QuestionOptions
from locvlm.instructions.build_files import BuildOptions, build_from_files
from locvlm.instructions.dataset import read_dataset
from locvlm.instructions.visible import FieldOfView, is_seen, keep_visible_of
from locvlm.models.load import load_processor
from locvlm.models.whole_images import show_whole


def count_objects(path: Path, images: Path, processor: Any) -> str:
    """Of all that is annotated: cut, wholly outside, and less than half seen."""
    annotated = read_coco(path, images=images).images
    view = FieldOfView(processor, ((image.width, image.height) for image in annotated))
    total = cut = outside = unseen = 0
    for image in annotated:
        part = view.part((image.width, image.height))
        for item in image.objects:
            total += 1
            if part is not None:
                cut += item.box.within(part) != item.box
                outside += not item.box.overlaps(part)
                unseen += not is_seen(item.box, part)
    shares = (f"{100 * n / total:.1f} % {what}" for n, what in (
        (cut, "cut"), (outside, "wholly outside"), (unseen, "less than half seen")))  # fmt: skip
    return f"{total} objects: {', '.join(shares)}"


def count_questions(folder: Path, processor: Any) -> str:
    """Of a data set's questions, those that are left out, by objective."""
    conversations = read_dataset(folder)
    _, report = keep_visible_of(folder, conversations, processor)
    asked: dict[str, int] = {}
    for conversation in conversations:
        for item in conversation.instructions:
            asked[item.objective] = asked.get(item.objective, 0) + 1
    each = (f"{name} {report.left_out[name]} of {n}" for name, n in asked.items())
    return f"{', '.join(each)}; cut {report.cut}; pictures without a question {report.images}"


def main() -> None:
    """Print the shares, before and after."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--side", type=int, default=336)
    args = parser.parse_args()
    square = {"height": args.side, "width": args.side}
    own = (
        load_processor(args.model)[0]
        if args.model
        else CLIPImageProcessorPil(size={"shortest_edge": args.side}, crop_size=square)
    )
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch, "data")
        objectives = ("locpred", "revloc", "negpred", "presence", "spatial", "multiple", "category")
        questions = QuestionOptions(objectives=objectives)
        build_from_files(args.annotations, args.images, data, BuildOptions(questions=questions))
        for name, processor in (("as it is", own), ("whole", show_whole(copy.deepcopy(own)))):
            print(f"{name}: {count_objects(args.annotations, args.images, processor)}")
            print(f"{name}: {count_questions(data, processor)}")


if __name__ == "__main__":
    main()
