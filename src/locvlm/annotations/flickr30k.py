"""Flickr30k Entities (arXiv 1505.04870): captions whose phrases have boxes.

    Sentences/7.txt      [/EN#283/people A man] pets [/EN#284/animals his dog] .
    Annotations/7.xml    <annotation><filename>7.jpg</filename><size>…</size>
                           <object><name>283</name><bndbox>…</bndbox></object></annotation>

A number is a thing that the five captions of a picture share; ``scene`` and ``nobndbox`` mark those
without a box. Pixels are counted from 1 and both ends of a box belong to it, so ``xmin … xmax`` are
the edges ``xmin - 1 … xmax``.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element

from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.annotations.box_forms import corners_of
from locvlm.annotations.boxes import clip_box
from locvlm.annotations.drops import Drops
from locvlm.annotations.form_names import BoxForm
from locvlm.errors import InputError
from locvlm.geometry import Size
from locvlm.io.reading import is_file, list_entries, one_line, sayable, text_lines
from locvlm.io.xml_files import corners, numbers_of, read_xml, size_of, text_of
from locvlm.media.image_files import ImageFolder, check_name, check_size, safe_name

_PHRASE = re.compile(r"\[/EN#(?P<id>\w+)/(?P<kind>\w[\w/]*) (?P<text>[^\[\]]*)\]")


@dataclass
class _Thing:
    kind: str  # people, clothing, bodyparts, animals, vehicles, instruments, scene or other
    phrases: dict[str, None] = field(default_factory=dict)  # in order, without repetitions


def read_flickr30k(
    path: str | Path, *, images: str | Path | None = None, boxes: BoxForm | None = None
) -> AnnotationSet:
    """All pictures of Flickr30k Entities, with their captions.

    A box's category is the kind of its thing (people, animals …), its descriptions are the phrases
    that mean this box alone. Only what captions mention has boxes, so nothing is ever absent, and
    no category is known to have no more instances than boxes.

    Left out and counted in ``drops``: pictures without sentences or not in the folder `images`,
    boxes that no sentence mentions, without a phrase that means them alone (a kind is no name),
    without area or wholly outside, captions that cannot be used; as descriptions, phrases without a
    box or with several. Boxes that reach out are clipped, kept and counted.

    Args:
        path: the folder that holds ``Annotations`` and ``Sentences``.
        images: folder of the pictures; None: do not look whether they are there.
        boxes: see `read_voc`.

    Raises:
        InputError: there are no XML files, a file is malformed, has a document type or a file name
            that leads out of its folder, or the folder holds none of the pictures.
    """
    path = Path(path)
    drops = Drops()
    folder = ImageFolder(Path(images) if images is not None else None, drops)
    files = sorted(list_entries(path / "Annotations", "*.xml"))
    if not files:
        raise InputError(
            f"{path}: has no Annotations/*.xml; give the folder that holds Annotations"
        )
    read = (
        _image(file, path / "Sentences" / f"{file.stem}.txt", folder, boxes, drops)
        for file in files
    )
    annotated = tuple(item for item in read if item)
    folder.check(path)
    categories = dict.fromkeys(item.category for image in annotated for item in image.objects)
    return AnnotationSet(annotated, tuple(categories), path, +drops)


def _image(
    file: Path, sentences: Path, folder: ImageFolder, form: str | None, drops: Counter[str]
) -> AnnotatedImage | None:
    tree = read_xml(file, "annotation")
    declared = text_of(tree, "filename") or f"{file.stem}.jpg"
    name = folder.find((check_name(declared, f"{file}: filename"),))
    if name is None:
        return None
    if not is_file(sentences):
        drops["pictures without sentences"] += 1
        return None
    size = check_size(*(size_of(tree, f"{file}: size") or (0, 0)), f"{file}: size")
    captions, things = _read_sentences(sentences, drops)
    objects = _objects(file, tree, size, things, form, drops)
    key = safe_name(file.stem, str(file))
    kinds = tuple(dict.fromkeys(item.category for item in objects))
    return AnnotatedImage(key, name, *size, objects, captions, absent=(), not_exhaustive=kinds)


def _read_sentences(file: Path, drops: Counter[str]) -> tuple[tuple[str, ...], dict[str, _Thing]]:
    """The plain captions, and what their phrases mean by number."""
    captions, things = [], dict[str, _Thing]()
    for line, sentence in enumerate(text_lines(file), start=1):
        for phrase in _PHRASE.finditer(sentence):
            thing = things.setdefault(phrase["id"], _Thing(phrase["kind"].split("/")[0]))
            text = one_line(phrase["text"])
            if sayable(text):
                thing.phrases[text] = None
            else:
                drops["phrases that are empty or have braces"] += 1
        caption = one_line(_PHRASE.sub(r"\g<text>", sentence))
        if "[/EN#" in caption:
            raise InputError(f"{file}: line {line}: a phrase [/EN#…] is not closed; get it again")
        if sayable(caption):
            captions.append(caption)
        else:
            drops["captions that are empty or have braces"] += 1
    return tuple(captions), things


def _objects(
    file: Path,
    tree: Element,
    size: Size,
    things: dict[str, _Thing],
    form: str | None,
    drops: Counter[str],
) -> tuple[Object, ...]:
    boxed = [
        (_numbers(item), bounds)
        for item in tree.iterfind("object")
        if (bounds := item.find("bndbox")) is not None
    ]
    boxes = Counter(number for numbers, _ in boxed for number in numbers)
    for number, thing in things.items():
        drops["phrases without a box"] += len(thing.phrases) * (boxes[number] == 0)
        drops["phrases that mean several boxes"] += len(thing.phrases) * (boxes[number] > 1)
    objects = []
    for place, (numbers, bounds) in enumerate(boxed, start=1):
        known = [number for number in numbers if number in things]
        if not known:
            drops["boxes that no sentence mentions"] += 1
            continue
        where = f"{file}: bndbox {place}"
        own = (things[number].phrases for number in known if boxes[number] == 1)
        phrases = tuple(dict.fromkeys(text for texts in own for text in texts))
        if not phrases:
            drops["boxes without a phrase of their own"] += 1
            continue
        edges = (
            corners(bounds, where)
            if form is None
            else corners_of(numbers_of(bounds, where), size, form, "xyxy")
        )
        box = clip_box(edges, size, drops, where)
        if box:
            objects.append(Object(things[known[0]].kind, box, id=known[0], descriptions=phrases))
    return tuple(objects)


def _numbers(item: Element) -> list[str]:
    return [one_line(name.text or "") for name in item.iterfind("name")]
