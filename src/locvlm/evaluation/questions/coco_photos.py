"""COCO's photos under the names of its releases."""

from __future__ import annotations

import re

_NAME = re.compile(r"(?:COCO_(?P<split>\w+20\d\d)_)?(?P<plain>\d{12}\.jpg)")
_FOLDERS = ("train2017", "val2017")  # the splits of 2017 are others than those of 2014
_TEST_FOLDERS = ("test2017",)  # about half of test2015 is there


def file_names(image: str) -> list[str]:
    """What the file of a photo may be called, the name as given first.

    A photo of 2014 or 2015 lies loose or in the folder of its split, under either release's name;
    since 2017 all of them do without their split. A photo for tests is never one of the others. Any
    other name stands for itself alone.

    >>> file_names("000000000042.jpg")
    ['000000000042.jpg', 'train2017/000000000042.jpg', 'val2017/000000000042.jpg']
    """
    match = _NAME.fullmatch(image)
    if match is None:
        return [image]
    split, plain = match["split"], match["plain"]
    old = [f"{split}/{image}", plain, f"{split}/{plain}"] if split else []
    folders = _TEST_FOLDERS if split and split.startswith("test") else _FOLDERS
    return [image, *old, *(f"{folder}/{plain}" for folder in folders)]
