"""Pascal VOC: one XML file per picture, and those of ImageNet and LabelImg in the same form.

    VOC2012/Annotations/2007_000027.xml      VOC2012/JPEGImages/2007_000027.jpg

    <annotation><filename>2007_000027.jpg</filename>
      <size><width>486</width><height>500</height></size>
      <object><name>person</name><difficult>0</difficult>
        <bndbox><xmin>174</xmin><ymin>101</ymin><xmax>349</xmax><ymax>351</ymax></bndbox>
      </object></annotation>

VOC counts pixels from 1 and both ends of a box belong to it (the VOC development kit's
annotation guidelines): ``xmin … xmax`` are the edges ``xmin - 1 … xmax``.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element

from locvlm.annotations.base import AnnotatedImage, AnnotationSet
from locvlm.annotations.box_forms import corners_of
from locvlm.annotations.boxes import ImageFindings, clip_box
from locvlm.annotations.drops import Drops, note
from locvlm.annotations.form_names import BoxForm
from locvlm.annotations.splits import ALL, choose_split
from locvlm.annotations.voc_lists import read_lists
from locvlm.errors import InputError
from locvlm.geometry import Size
from locvlm.io.reading import is_folder, list_entries
from locvlm.io.xml_files import corners, numbers_of, read_xml, size_of, text_of
from locvlm.media.image_files import ImageFolder, check_name, check_size, header_or_none


def read_voc(
    path: str | Path,
    *,
    images: str | Path | None = None,
    split: str | None = None,
    boxes: BoxForm | None = None,
) -> AnnotationSet:
    """The pictures of a folder of VOC's XML files, in the order of the files' names.

    Splits are those of the lists ``train.txt``, ``val.txt`` and ``test.txt`` in ``ImageSets/Main``
    or ``ImageSets`` beside ``Annotations``, or beside it; ``valid.txt`` is val. Without train and
    val, ``trainval.txt`` is train; without it, lists of single categories such as
    ``dog_train.txt`` are taken together. Where there are none, all is read.

    Categories are those found in the folder, and each of them is taken to have been looked for in
    every picture. Objects marked as difficult are kept, their parts are not read. Where a file
    does not tell the picture's size, it is that of the picture as displayed.

    Left out and counted in ``drops``: boxes without area or wholly outside, objects without a box,
    pictures that another file annotates already, that cannot be read though their size is needed,
    or that are not in the folder `images`; those that no list names. Boxes that reach out are
    clipped, kept and counted.

    Args:
        path: folder of the XML files, or the one that holds their folder ``Annotations``.
        images: folder of the pictures; None: do not look whether they are there, and look for
            sizes in ``JPEGImages`` or beside the XML files.
        split: train, val or test, or all of them; None: train, or the only one there is.
        boxes: how the four numbers are written; None: pixels from 1, both ends counted. As
            ``xyxy`` they are edges, counted from 0.

    Raises:
        InputError: there are no XML files, one of them is not VOC's, has a document type, a number
            that is none or a file name that leads out of its folder, or the folder holds none of
            the pictures.
    """
    path = Path(path)
    drops = Drops()
    folder = ImageFolder(Path(images) if images is not None else None, drops)
    beside = Path(images) if images is not None else _find_image_folder(path)
    annotated: dict[str, AnnotatedImage] = {}
    categories: dict[str, None] = {}
    elsewhere = set[str]()  # categories that have boxes in files that are left out
    files = _files(path)
    lists = read_lists(path, {file.stem for file in files}, drops)
    split = choose_split(split, tuple(lists), path)
    for file in files:
        tree = read_xml(file, "annotation")
        categories |= dict.fromkeys(_categories(file, tree))
        own = next((name for name, stems in lists.items() if file.stem in stems), "")
        if split != ALL and file.stem not in lists[split]:
            drops["pictures that no list of ImageSets names"] += not own
            elsewhere.update(text_of(item, "name") for item in tree.iterfind("object[bndbox]"))
            continue
        name = folder.find(_file_names(file, tree))
        size = _size(file, tree, beside / name, drops) if name else None
        if name and name in annotated:
            note(drops, "files of a picture that another file annotates", str(file))
        elif name and size:
            found = _objects(file, tree, size, boxes, drops)
            own = own if split == ALL else split
            annotated[name] = AnnotatedImage(file.stem, name, *size, split=own, **found.fields())
    folder.check(path)
    here = {item.category for image in annotated.values() for item in image.objects}
    return AnnotationSet(
        tuple(annotated.values()),
        tuple(categories),
        path,
        +drops,
        unboxed=tuple(name for name in categories if name not in here | elsewhere),
        splits=tuple(lists),
        options={"split": split} if lists else {},
    )


def _files(path: Path) -> list[Path]:
    folder = path / "Annotations" if is_folder(path / "Annotations") else path
    files = sorted(list_entries(folder, "*.xml"))
    if not files:
        raise InputError(f"{path}: no folder with XML files; give the one that holds Annotations")
    return files


def _find_image_folder(path: Path) -> Path:
    beside = (path / "JPEGImages", path.parent / "JPEGImages")
    return next((folder for folder in beside if is_folder(folder)), path)


def _file_names(file: Path, tree: Element) -> tuple[str, ...]:
    """As the file says, then by its own name: tools copy XML and forget the one inside."""
    declared = text_of(tree, "filename")
    suffix = PurePosixPath(declared).suffix
    names = [declared, file.stem + suffix] if suffix else [f"{file.stem}.jpg"]
    return tuple(check_name(name, f"{file}: filename") for name in names)


def _size(file: Path, tree: Element, image: Path, drops: Counter[str]) -> Size | None:
    declared = size_of(tree, f"{file}: size")
    if declared:
        return check_size(*declared, f"{file}: size")
    found = header_or_none(image, drops)
    return found.displayed if found else None


def _categories(file: Path, tree: Element) -> list[str]:
    """Of each object, in file order."""
    names = [text_of(item, "name") for item in tree.iterfind("object")]
    if "" in names:
        raise InputError(f"{file}: object {names.index('') + 1} has no name; give its category")
    return names


def _objects(
    file: Path, tree: Element, size: Size, form: str | None, drops: Counter[str]
) -> ImageFindings:
    found = ImageFindings()
    things = zip(tree.iterfind("object"), _categories(file, tree), strict=True)
    for place, (item, category) in enumerate(things, start=1):
        where, bounds = f"{file}: object {place}, bndbox", item.find("bndbox")
        if bounds is None:
            note(drops, "objects without a box", where)
            found.add(category, None)
            continue
        own = form is None
        edges = (
            corners(bounds, where)
            if own
            else corners_of(numbers_of(bounds, where), size, form, "xyxy")
        )
        found.add(category, clip_box(edges, size, drops, where), id=place)
    return found
