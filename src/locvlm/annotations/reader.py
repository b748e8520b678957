"""A format of annotations: how it is recognized and read, and what is checked of all it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from locvlm.annotations.evidence import Evidence
from locvlm.annotations.form_names import BoxForm, Unit
from locvlm.errors import InputError
from locvlm.io.reading import is_folder

if TYPE_CHECKING:
    from locvlm.annotations.base import AnnotationSet
    from locvlm.annotations.split_parts import SplitPart

SPLIT = "split"


@dataclass(frozen=True, kw_only=True)
class AnnotationReader:
    """A format of annotations; call it to read them."""

    name: str  # also that of its file
    signs: Mapping[str, Callable[[Evidence], bool]]  # in words -> whether it is so: one is enough
    json_keys: tuple[str, ...] = ()  # that its signs look for
    # Beside `images` and `split`, but for "split" where the format itself names its splits
    options: tuple[str, ...] = ()
    splits_images: bool = True  # an image is in one split, and each can be read alone
    order: str = "xyxy"  # of a box's numbers in the format (see `box_forms`)
    unit: Unit = "pixels"  # that they count
    first: int = 0  # number of the first pixel, in corners

    def recognize(self, evidence: Evidence) -> str:
        """Why the evidence is of this format, in words; empty where it is not."""
        return next((reason for reason, holds in self.signs.items() if holds(evidence)), "")

    def __call__(
        self, path: str | Path, *, images: str | Path | None = None, **options: Any
    ) -> AnnotationSet:
        """The annotations at `path`.

        Args:
            path: what the format says: a file, or a folder.
            images: folder of the pictures.
            options: those of `options`, and `split`.

        Raises:
            InputError: no such option, or whatever the reader cannot use.
        """
        for option in options:
            if option not in (*self.options, SPLIT):
                raise InputError(
                    f"annotations in the form {self.name} have no {option}; they take: "
                    f"{', '.join(dict.fromkeys(('images', SPLIT, *self.options)))}"
                )
        form = options.get("boxes")
        if form is not None and form not in get_args(BoxForm):
            known = ", ".join(get_args(BoxForm))
            raise InputError(f"unknown form of boxes {form!r}; known: {known}")
        path, folder = Path(path), Path(images) if images is not None else None
        if parts := self.find_parts(path):
            split = options.pop(SPLIT, None)
            from locvlm.annotations.split_parts import read_parts

            return _check_filled(
                read_parts(parts, partial(self._read, options), path, folder, split)
            )
        if SPLIT not in self.options:
            from locvlm.annotations.splits import choose_split

            choose_split(options.pop(SPLIT, None), (), path)
        return _check_filled(self._read(options, path, folder))

    def find_parts(
        self, path: Path, evidence_of: Callable[[Path], Evidence] | None = None
    ) -> list[SplitPart]:
        """The annotations of each split, where `path` holds some in this format, and no other.

        Args:
            path: of the annotations.
            evidence_of: what is seen of a file or folder; None: it is looked at.
        """
        from locvlm.annotations.split_parts import find_parts

        keys = self.json_keys or ("images",)
        look = evidence_of or (lambda each: Evidence(each, keys))
        if not is_folder(path) or self.recognize(look(path)):
            return []
        return find_parts(path, lambda each: bool(self.recognize(look(each))))

    def _read(self, options: Mapping[str, Any], path: Path, images: Path | None) -> AnnotationSet:
        module = import_module(f"locvlm.annotations.{self.name}")
        data: AnnotationSet = getattr(module, f"read_{self.name}")(path, images=images, **options)
        return self._check_whole(data, images, options)

    def _check_whole(
        self, data: AnnotationSet, images: str | Path | None, options: Mapping[str, Any]
    ) -> AnnotationSet:
        """What only all of it together tells."""
        from locvlm.annotations.drops import Drops
        from locvlm.annotations.plausibility import OwnForm, check_boxes
        from locvlm.annotations.recorded_sizes import fit_to_files
        from locvlm.annotations.repeated_boxes import drop_repeated
        from locvlm.annotations.spellings import mark_spellings
        from locvlm.annotations.unboxed import tell_unboxed

        form = options.get("boxes")
        if form is not None:
            data = replace(data, options={**data.options, "boxes": form})
        if isinstance(data.drops, Drops):
            own = OwnForm(self.order, self.unit, self.first)
            boxes = data.drops.take_boxes()
            odd = check_boxes(data.source, boxes, own, given=form is not None)
            data = replace(data, remarks=(*data.remarks, *odd))
        data = drop_repeated(data)
        if images is not None:
            data = fit_to_files(data, Path(images))
        return mark_spellings(tell_unboxed(data))


def _check_filled(data: AnnotationSet) -> AnnotationSet:
    """Raises InputError where the split has no images; those left out are said by who asks."""
    split = data.options.get("split", "all")
    if data.splits and split != "all" and not data.drops and not len(data.images):
        raise InputError(
            f"{data.source}: has no picture in its split {split}; its splits are: "
            f"{', '.join(data.splits)}"
        )
    return data
