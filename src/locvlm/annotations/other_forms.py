"""Forms of annotations that no reader takes, or not so, told by a look; and the way out."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

from locvlm.annotations.evidence import Evidence
from locvlm.io.reading import is_folder, list_entries, quote, read_chunks

ARCHIVES = (".zip", ".tar", ".tgz", ".7z", ".rar")
SHOWN = 3
_KEYS = (
    *("image_id", "category_id", "bbox", "score", "coordinates", "annotations", "image"),
    *("bbox_mode", "file_name", "items", "label_id", "caption", "segments_info", "images"),
)

_Look = Callable[[Evidence], bool]
_FILES: dict[str, _Look] = {
    "an archive; unpack it, and give the file or folder in it": lambda seen: (
        seen.suffix.lower() in ARCHIVES or seen.name.endswith((".tar.gz", ".tar.xz"))
    ),
    "one XML file of VOC; give the folder that holds it": lambda seen: (
        seen.xml_root() == "annotation"
    ),
    "a list in the form of Detectron2; write it as COCO": lambda seen: seen.json_list(
        "file_name", "bbox_mode"
    ),
    "results of a detector in COCO's form, without pictures and names of categories; give the file "
    "of images, categories and annotations": lambda seen: seen.json_list(
        "image_id", "category_id", "bbox"
    ),
    "the JSON of CreateML; write it as COCO, or as a table": lambda seen: seen.json_list(
        "image", "coordinates"
    ),
    "the JSON of Datumaro; export it as COCO": lambda seen: seen.json_object("items", "label_id"),
    "a CSV export of Label Studio; export its JSON": lambda seen: (
        {"image", "annotator"} <= seen.columns
    ),
}


def tell_other_form(path: Path) -> str:
    """What `path` is instead, and what to do; empty where that cannot be told."""
    if is_folder(path):
        return _tell_folder(path)
    seen = Evidence(path, _KEYS)
    known = next((words for words, holds in _FILES.items() if holds(seen)), "")
    return known or (_tell_csv(path) if path.suffix in (".csv", ".tsv") else "")


def _tell_csv(path: Path) -> str:
    lines = next(read_chunks(path), b"").decode(errors="replace").splitlines()
    first = lines[0] if lines else ""
    for mark, name in ((";", "semicolons"), ("\t", "tabs")):
        if first.count(mark) >= SHOWN:
            return f"a table with {name} between its columns; write it with commas"
    words = first.split(",")
    if sum(_is_number(word) for word in words) >= len("xyxy"):
        return (
            f"a table without a line of names ({quote(first)}); add it, such as "
            "image,width,height,category,x1,y1,x2,y2 in the order of the columns"
        )
    return ""


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _tell_folder(path: Path) -> str:
    folders = sorted(item for item in list_entries(path) if is_folder(item))
    for pattern, words in (("*.json", "JSON files"), ("*.csv", "CSV files")):
        for place in (path, *folders):
            files = sorted(islice(list_entries(place, pattern), 1000))
            if files:
                return f"a folder with {words}; give one of them: {_list(path, files)}"
    with_xml = [item for item in folders if any(list_entries(item, "*.xml"))]
    if with_xml:
        return f"a folder above others with XML files; give one of them: {_list(path, with_xml)}"
    for place in (path, *folders):
        if any(list_entries(place, "*.txt")):
            return (
                "a folder with text files, as YOLO and KITTI have; of YOLO the names of the "
                "classes are needed: write them, one a line, into classes.txt in the folder that "
                "holds images and labels; KITTI's files write as a table or as COCO"
            )
    return ""


def _list(path: Path, found: list[Path]) -> str:
    names = [item.relative_to(path).as_posix() for item in found[:SHOWN]]
    return ", ".join((*names, *["…"] * (len(found) > SHOWN)))
