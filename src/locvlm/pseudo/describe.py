"""A model describes the objects of a detection data set in its own words.

The self-training of arXiv 2404.07449 (PRefCOCO-100K): of each category with one instance in a
picture the model is asked for a short sentence; what the boxes contradict is left out (see
`filters`). The result is the detection data set again, with a description per object, from which
`locvlm build` makes questions and answers about things in more words than their category.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.coordinates.answers import find_answer
from locvlm.errors import InputError
from locvlm.instructions.visible import FieldOfView, is_seen
from locvlm.io.outputs import Reads
from locvlm.io.reading import one_line
from locvlm.models.folders import user_folders
from locvlm.openai_client import Endpoint
from locvlm.parallel.engines import Engine
from locvlm.parallel.parts import remove_parts, run_in_parts
from locvlm.pseudo import coco_file
from locvlm.pseudo.described_file import write_descriptions
from locvlm.pseudo.describers import (
    BATCH_SIZE,
    ImageReply,
    ImageRequest,
    answer_requests,
    open_model,
)
from locvlm.pseudo.detection_file import parts_folder
from locvlm.pseudo.filters import (
    CUT,
    find_faults,
    find_unusable,
    has_coordinates,
    strip_beginning,
)

if TYPE_CHECKING:
    from locvlm.inference.sampling import Sampling

PROMPT = (
    "Describe the {category} in this image using one short sentence, referring to its visual "
    "features and spatial position relative to other objects in image."
)
EXAMPLES = 3  # per reason, of what was left out
UNSEEN_OBJECTS = "objects that lie outside of what the model sees"


@dataclass
class DescriptionSummary:
    """What came of it."""

    pictures: int = 0
    asked: int = 0  # objects
    kept: int = 0  # descriptions
    cut: int = 0  # of those: that the limit of tokens ended, where all are kept
    coordinates: int = 0  # likewise: that say a place in numbers, in a frame that nobody knows
    drops: Counter[str] = field(default_factory=Counter)  # reason -> how many
    examples: dict[str, list[str]] = field(default_factory=dict)  # reason -> some that were dropped
    skipped: dict[str, str] = field(default_factory=dict)  # picture -> why

    def record(self) -> dict[str, Any]:
        """For the file."""
        return {
            "asked": self.asked,
            "kept": self.kept,
            **({"cut": self.cut} if self.cut else {}),
            **({"coordinates": self.coordinates} if self.coordinates else {}),
            "dropped": dict(self.drops),
            "skipped": self.skipped,
        }


def describe(
    data: AnnotationSet,
    images: Path,
    out: Path,
    *,
    model: str | Endpoint,
    prompt: str = PROMPT,
    keep_all: bool = False,
    sampling: Sampling | None = None,
    engine: Engine = "local",
    workers: int = 1,
) -> DescriptionSummary:
    """Write the annotations to the file `out` again, with a description per object.

    A stopped run goes on. A picture that cannot be read is skipped and listed.

    Args:
        data: a detection data set; descriptions that it has are kept, captions are not.
        images: folder of its pictures.
        out: COCO file to write; unfinished work is kept in ``OUT.parts`` beside it.
        model: a shipped model, a folder or a hub id; or one behind a server.
        prompt: what is asked, with ``{category}`` in it.
        keep_all: keep descriptions as the model wrote them, on one line, also those that the boxes
            contradict; only what no text can hold is left out.
        sampling: how a model that is no server's draws its answers; None: greedy.
        engine: where the model runs (see `map_as_completed`), if not behind a server.
        workers: how many of it; of a server's model, requests at the same time.

    Raises:
        InputError: the prompt has no ``{category}``, `out` holds something else, the model cannot
            be loaded or its server fails, no category has one instance in any picture, or no
            picture can be read.
    """
    if "{category}" not in prompt:
        raise InputError(f"--prompt {prompt!r}: has no {{category}} to name the object by")
    reads = Reads([data.source, images, *(user_folders(model) if isinstance(model, str) else ())])
    coco_file.check_output(out, reads)
    folder, result = parts_folder(out), DescriptionSummary()
    places = [_single_places(image) for image in data.images]
    provenance = _provenance(data, prompt, model, sampling)
    if isinstance(model, str) and (unseen := _leave_out_unseen(data, places, model)):
        provenance["unseen"] = result.drops[UNSEEN_OBJECTS] = len(unseen)
        result.examples[UNSEEN_OBJECTS] = unseen[:EXAMPLES]
    requests = _make_requests(data, images, places)
    with open_model(model, sampling, engine, workers) as (ask, where):
        replies = run_in_parts(
            partial(answer_requests, ask, prompt),
            requests,
            folder,
            provenance,
            kind=ImageReply,
            doing=f"Describing · {provenance['model']}",
            batch_size=BATCH_SIZE,
            engine=where,
            workers=workers,
        )
        descriptions = [
            _select_usable(image, singles, next(replies), data.categories, result, keep_all)
            if singles
            else {}
            for image, singles in zip(data.images, places, strict=True)
        ]
    if not result.asked:
        remove_parts(folder)
        raise InputError(f"{images}: no picture can be read; {next(iter(result.skipped.values()))}")
    if keep_all:  # what was asked does not depend on it: unfinished work goes on either way
        provenance["keep_all"] = True
    provenance |= {**result.record(), "not read": dict(data.drops)}
    write_descriptions(out, data, descriptions, provenance)
    remove_parts(folder)
    return result


def _provenance(
    data: AnnotationSet, prompt: str, model: str | Endpoint, sampling: Sampling | None
) -> dict[str, Any]:
    """How the file is made: a server may move, what it is asked with may not change."""
    provenance = {"by": "pseudo describe", "of": data.source.name, "prompt": prompt}
    if isinstance(model, Endpoint):
        return {**provenance, "model": model.model, "server": dict(model.settings)}
    return {**provenance, "model": model, **({"decoding": sampling.record} if sampling else {})}


def _single_places(image: AnnotatedImage) -> list[int]:
    """Places in ``image.objects`` of those whose category has one instance."""
    single = {id(item) for item in image.single_instances()}
    return [place for place, item in enumerate(image.objects) if id(item) in single]


def _leave_out_unseen(data: AnnotationSet, places: list[list[int]], model: str) -> list[str]:
    """Take out of `places` the objects that the model does not see; each in words."""
    from locvlm.models.load import load_processor

    try:
        processor, _ = load_processor(model)
    except InputError:  # loading the model tells
        return []
    view = FieldOfView(processor, ((image.width, image.height) for image in data.images))
    unseen: list[str] = []
    for number, image in enumerate(() if view.sees_all else data.images):
        if part := view.part((image.width, image.height)):
            items = {place: image.objects[place] for place in places[number]}
            places[number] = [place for place, item in items.items() if is_seen(item.box, part)]
            gone = items.keys() - places[number]
            unseen += [f"{image.file_name}: {items[place].category}" for place in sorted(gone)]
    return unseen


def _make_requests(
    data: AnnotationSet, images: Path, places: Sequence[Sequence[int]]
) -> list[ImageRequest]:
    """One per picture with something to describe. Raises InputError where there is none."""
    requests = [
        ImageRequest(
            str(images / image.file_name),
            image.width,
            image.height,
            [image.objects[place].category for place in singles],
        )
        for image, singles in zip(data.images, places, strict=True)
        if singles
    ]
    if not requests:
        raise InputError(f"{data.source}: no category has one instance in any picture to describe")
    return requests


def _select_usable(
    image: AnnotatedImage,
    places: Sequence[int],
    reply: ImageReply,
    categories: Sequence[str],
    result: DescriptionSummary,
    keep_all: bool,
) -> dict[int, str]:
    """Place in ``image.objects`` -> the description that is kept; all is counted."""
    result.pictures += 1
    if reply.error:
        result.skipped[image.file_name] = reply.error
        return {}
    clean = one_line if keep_all else strip_beginning
    texts = (clean(find_answer(answer)) for answer in reply.answers)
    descriptions = dict(zip(places, texts, strict=True))
    if keep_all:
        faults = {place: find_unusable(text) for place, text in descriptions.items()}
        wrong = {place: reason for place, reason in faults.items() if reason}
        result.cut += len({places[number] for number in reply.cut} - wrong.keys())
        kept = (text for place, text in descriptions.items() if place not in wrong)
        result.coordinates += sum(map(has_coordinates, kept))
    else:
        wrong = find_faults(image, descriptions, categories)
        wrong |= {places[number]: CUT for number in reply.cut}
    for place, reason in wrong.items():
        result.drops[reason] += 1
        if result.drops[reason] <= EXAMPLES:
            example = f"{image.objects[place].category}: {descriptions[place]}"
            result.examples.setdefault(reason, []).append(example)
    result.asked += len(descriptions)
    result.kept += len(descriptions) - len(wrong)
    return {place: text for place, text in descriptions.items() if place not in wrong}
