"""What of a picture is not asked about, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace

from locvlm.annotations.base import AnnotatedImage, AnnotationSet, Object
from locvlm.annotations.columns import ColumnarImages
from locvlm.errors import InputError
from locvlm.instructions.objectives.phrases import normalize_phrase, shared_phrases

SMALL = "objects smaller than min_area, not asked about"
LARGE = "objects larger than max_area, not asked about"
AT_EDGE = "objects cut by the picture's border, not asked about"
UNDESCRIBED = "objects without a description, not asked about"
DESCRIBED = ("locpred", "revloc")  # the objectives that call an object by its description


@dataclass(frozen=True)
class ObjectLimits:
    """Which objects are asked about; all others still count as present."""

    min_area: float = 0.0  # share (0 … 1) of the picture's area
    max_area: float = 1.0  # likewise
    edge: float | None = None  # original pixels; boxes this near to the border are cut. None: any

    def __post_init__(self) -> None:
        """Raises InputError where a limit is out of range."""
        if not 0 <= self.min_area < 1:
            raise InputError(
                f"min_area is a share of the picture from 0 to below 1, not {self.min_area}"
            )
        if not self.min_area <= self.max_area <= 1:
            raise InputError(
                f"max_area is a share of the picture from min_area to 1, not {self.max_area}"
            )
        if self.edge is not None and not 0 <= self.edge < float("inf"):
            raise InputError(f"edge is a number of pixels from 0, not {self.edge}")

    def __bool__(self) -> bool:
        """Whether anything can be beyond them."""
        return bool(self.min_area) or self.max_area < 1 or self.edge is not None

    def apply(self, image: AnnotatedImage, drops: Counter[str]) -> AnnotatedImage:
        """Others marked as crowds, which are present but never asked about; counted in `drops`."""
        if not self:
            return image
        reasons = [None if item.crowd else self._reason(item, image) for item in image.objects]
        if not any(reasons):
            return image
        drops.update(filter(None, reasons))
        marked = (
            replace(item, crowd=True) if reason else item
            for item, reason in zip(image.objects, reasons, strict=True)
        )
        return replace(image, objects=tuple(marked))

    def _reason(self, item: Object, image: AnnotatedImage) -> str | None:
        """The first that holds; None where the object is asked about."""
        box, whole = item.box, image.width * image.height
        if box.area < self.min_area * whole:
            return SMALL
        if box.area > self.max_area * whole:
            return LARGE
        gap = min(box.x1, box.y1, image.width - box.x2, image.height - box.y2)
        return AT_EDGE if self.edge is not None and gap <= self.edge else None


def check_descriptions(annotations: AnnotationSet, objectives: Collection[str]) -> None:
    """Raise InputError where none but described objects are to be asked about, and none can be."""
    if not set(DESCRIBED) & set(objectives):
        raise InputError(
            f"described_only is of {' and '.join(DESCRIBED)}, and neither is among the objectives "
            f"{', '.join(objectives)}; name one of them, or leave it out"
        )
    images = annotations.images
    held = (
        any(images.objects.descriptions or ())
        if isinstance(images, ColumnarImages)
        else any(item.descriptions for image in images for item in image.objects)
    )
    if not held:
        raise InputError(
            f"{annotations.source}: no object has a description for described_only; let a model "
            "write some (locvlm pseudo describe), or leave it out"
        )


def drop_unusable_descriptions(image: AnnotatedImage, drops: Counter[str]) -> AnnotatedImage:
    """The picture without descriptions that say nothing or that a template could take for places.

    Each is counted in `drops`, as are those that fit several objects: they stay as answers alone.
    """
    if not any(item.descriptions for item in image.objects):
        return image
    objects = tuple(
        replace(item, descriptions=tuple(filter(_is_usable, item.descriptions)))
        for item in image.objects
    )
    count = _count_descriptions(image.objects) - _count_descriptions(objects)
    drops["descriptions that are empty or have braces"] += count
    image = replace(image, objects=objects)
    if common := shared_phrases(image):
        texts = (text for item in objects if not item.crowd for text in item.descriptions)
        drops["descriptions of several objects, not asked for"] += sum(
            normalize_phrase(text) in common for text in texts
        )
    return image


def _is_usable(text: str) -> bool:
    return bool(text.strip(". ")) and not set("{}") & set(text)


def _count_descriptions(objects: tuple[Object, ...]) -> int:
    return sum(len(item.descriptions) for item in objects)
