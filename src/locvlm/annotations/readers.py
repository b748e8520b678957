"""The readers: how each is recognized, and what it takes.

A new reader is a file ``NAME.py`` with a function ``read_NAME``, and an entry in `READERS`. The
files are imported when something is read, for they need more than the command line does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from locvlm.annotations.evidence import Evidence
from locvlm.annotations.reader import AnnotationReader
from locvlm.annotations.table_columns import is_table


def _is_lvis(seen: Evidence) -> bool:
    return seen.json_object("images", "neg_category_ids")


def _is_objects365(seen: Evidence) -> bool:
    marks = seen.json_object("images", "isfake") or seen.json_object("images", "isreflected")
    return marks and not _is_lvis(seen)


def _is_coco(seen: Evidence) -> bool:
    others = (_is_lvis, _is_objects365, _is_via)
    return seen.json_object("images") and not any(is_other(seen) for is_other in others)


def _is_image_folder(seen: Evidence) -> bool:
    return {"file_name", "objects"} <= seen.line_keys


def _is_flickr30k(seen: Evidence) -> bool:
    return seen.has("Annotations/*.xml") and seen.has("Sentences/*.txt")


def _is_voc(seen: Evidence) -> bool:
    found = seen.has("Annotations/*.xml") or seen.has("*.xml")
    return found and not _is_flickr30k(seen) and seen.xml_root("annotations.xml") != "annotations"


def _is_via(seen: Evidence) -> bool:
    return seen.json_object("shape_attributes") or seen.json_object("_via_img_metadata")


def _is_class_list_folder(seen: Evidence) -> bool:
    lists = map(seen.has, ("classes.txt", "*.names", "obj.data", "labels/classes.txt"))
    return any(lists) and not seen.has("*.xml") and not seen.has("Annotations/*.xml")


def _is_built(seen: Evidence) -> bool:
    return seen.has("manifest.json") and seen.has("instructions.parquet")


READERS: dict[str, AnnotationReader] = {
    reader.name: reader
    for reader in (
        AnnotationReader(
            name="built",
            options=("split",),
            signs={"the folder of a data set that locvlm build wrote": _is_built},
        ),
        AnnotationReader(
            name="coco",
            options=("captions", "boxes"),
            order="xywh",
            json_keys=("images",),
            signs={'a JSON file with "images", as COCO has': _is_coco},
        ),
        AnnotationReader(
            name="cvat",
            options=("boxes", "split"),
            signs={
                "an XML file whose root is annotations": lambda seen: (
                    seen.xml_root() == "annotations"
                ),
                "a folder with annotations.xml": lambda seen: (
                    seen.xml_root("annotations.xml") == "annotations"
                ),
            },
        ),
        AnnotationReader(
            name="datasets",
            options=("split", "boxes"),
            order="xywh",
            signs={
                "a folder with Parquet or Arrow files": lambda seen: (
                    any(map(seen.has, ("data/*.parquet", "*.parquet", "*.arrow", "*/*.arrow")))
                    and not _is_built(seen)
                ),
                "a Parquet file": lambda seen: seen.suffix == ".parquet",
                "an Arrow file": lambda seen: seen.suffix == ".arrow",
                "JSON lines with file_name and objects": _is_image_folder,
                "a CSV file with the columns file_name and objects": lambda seen: (
                    {"file_name", "objects"} <= seen.columns
                ),
                "a folder with metadata.jsonl or metadata.csv": lambda seen: any(
                    seen.has(f"{folder}metadata.{ending}")
                    for folder in ("", "*/")
                    for ending in ("jsonl", "csv")
                ),
            },
        ),
        AnnotationReader(
            name="flickr30k",
            options=("boxes",),
            first=1,
            signs={"a folder with Annotations/*.xml and Sentences/*.txt": _is_flickr30k},
        ),
        AnnotationReader(
            name="labelme",
            options=("boxes",),
            json_keys=("shapes", "imagePath"),
            signs={
                'a JSON file with "shapes" and "imagePath"': lambda seen: seen.json_object(
                    "shapes", "imagePath"
                ),
                "a folder of JSON files with shapes and imagePath": lambda seen: (
                    {"shapes", "imagePath"} <= seen.below_json
                ),
            },
        ),
        AnnotationReader(
            name="labelstudio",
            options=("boxes",),
            order="xywh",
            unit="percent",
            json_keys=("data", "annotations", "completions", "original_width"),
            signs={
                'a JSON list with "data" and "annotations" of each task': lambda seen: (
                    seen.json_list("data", "annotations") or seen.json_list("data", "completions")
                ),
                'a JSON list with "original_width" of regions': lambda seen: (
                    seen.json_list("original_width") and not seen.json_list("data", "annotations")
                ),
            },
        ),
        AnnotationReader(
            name="lvis",
            options=("captions", "boxes"),
            order="xywh",
            json_keys=("images", "neg_category_ids"),
            signs={'COCO\'s form with "neg_category_ids", which LVIS has': _is_lvis},
        ),
        AnnotationReader(
            name="objects365",
            options=("captions", "boxes"),
            order="xywh",
            json_keys=("images", "isfake", "isreflected"),
            signs={
                'COCO\'s form with "isfake" or "isreflected", which Objects365 has': _is_objects365
            },
        ),
        AnnotationReader(
            name="openimages",
            options=("classes", "image_labels", "boxes"),
            unit="shares",
            signs={
                "a CSV file with the columns ImageID, LabelName and XMin": lambda seen: (
                    {"ImageID", "LabelName", "XMin"} <= seen.columns
                )
            },
        ),
        AnnotationReader(
            name="refcoco",
            options=("split", "boxes"),
            splits_images=False,
            order="xywh",
            signs={
                "a folder with refs(…).p": lambda seen: seen.has("refs*.p"),
                "a pickle file": lambda seen: seen.suffix in (".p", ".pkl", ".pickle"),
            },
        ),
        AnnotationReader(
            name="supervisely",
            options=("boxes", "split"),
            json_keys=("classTitle", "geometryType"),
            signs={
                "a folder with ann/*.json": lambda seen: (
                    seen.has("ann/*.json") or (seen.has("meta.json") and seen.has("*/ann/*.json"))
                ),
                'a JSON file with "classTitle"': lambda seen: seen.json_object("classTitle"),
            },
        ),
        AnnotationReader(
            name="table",
            options=("boxes",),
            signs={
                "a CSV file with columns for image, category and corners": lambda seen: is_table(
                    seen.columns
                ),
                "JSON lines": lambda seen: (
                    seen.suffix in (".jsonl", ".ndjson") and not _is_image_folder(seen)
                ),
            },
        ),
        AnnotationReader(
            name="via",
            options=("boxes",),
            order="xywh",
            json_keys=(
                *("shape_attributes", "_via_img_metadata", "filename", "regions"),
                *("fid_list", "metadata", "view"),
            ),
            signs={
                'a JSON file with "filename" and "regions" of each picture': lambda seen: (
                    seen.json_object("filename", "regions") and not seen.json_object("images")
                ),
                'a JSON file with "shape_attributes" or "_via_img_metadata"': _is_via,
                'a JSON file with "metadata" and "fid_list" of views': lambda seen: (
                    seen.json_object("metadata", "view", "fid_list")
                ),
                "a CSV file with the column region_shape_attributes": lambda seen: (
                    "region_shape_attributes" in seen.columns
                ),
            },
        ),
        AnnotationReader(
            name="visualgenome",
            options=("boxes",),
            order="xywh",
            json_keys=("objects", "names", "regions", "phrase"),
            signs={
                "a folder with objects.json or region_descriptions.json": lambda seen: (
                    seen.has("objects.json") or seen.has("region_descriptions.json")
                ),
                'a JSON list with "objects" and their "names"': lambda seen: seen.json_list(
                    "objects", "names"
                ),
                'a JSON list with "regions", each with a "phrase"': lambda seen: seen.json_list(
                    "regions", "phrase"
                ),
            },
        ),
        AnnotationReader(
            name="voc",
            options=("split", "boxes"),
            first=1,
            signs={"a folder with XML files": _is_voc},
        ),
        AnnotationReader(
            name="yolo",
            options=("split", "boxes"),
            order="cxcywh",
            unit="shares",
            signs={
                "a folder with data.yaml": lambda seen: (
                    seen.has("data.yaml") or seen.has("data.yml")
                ),
                "a YAML file": lambda seen: seen.suffix in (".yaml", ".yml"),
                "a folder with a YAML file that has names": lambda seen: seen.has_text(
                    "*.y*ml", "names:"
                ),
                "a folder with a list of class names": _is_class_list_folder,
                "a list of class names": lambda seen: (
                    seen.suffix in (".data", ".names") or seen.name == "classes.txt"
                ),
            },
        ),
    )
}

if TYPE_CHECKING:
    ReaderName = str
else:
    ReaderName = Literal[tuple(sorted(READERS))]  # the choices that the command line shows
