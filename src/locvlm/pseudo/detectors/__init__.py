"""Detectors by name: the one that comes along, or one of transformers."""

from __future__ import annotations

from locvlm.pseudo.detectors.base import Detector, DetectorOutput

__all__ = ["Detector", "DetectorOutput", "load", "tell_lack"]

SSD = "ssd"
PANOPTIC = "facebook/mask2former-swin-large-coco-panoptic"  # knows stuff; to be named in advice


def load(name: str, *, categories: tuple[str, ...] = (), min_score: float = 0.0) -> Detector:
    """A detector, on the GPU where there is one.

    Args:
        name: "ssd", or the folder or hub id of a detector or panoptic segmenter of transformers.
        categories: what to look for, for those that must be told.
        min_score: score below which nothing needs to be told.

    Raises:
        InputError: it cannot be had, is no detector, or needs categories.
    """
    if name == SSD:
        from locvlm.pseudo.detectors.ssd import Ssd

        return Ssd(min_score)
    from locvlm.pseudo.detectors.loading import load_folder

    return load_folder(name, categories, min_score)


def tell_lack(name: str) -> dict[str, str]:
    """What the detector `name` cannot tell, for the record of how a file was made; or nothing."""
    if name != SSD:
        return {}
    return {
        "lacks": f"{SSD} finds COCO's 80 things and no stuff (sky, road, grass): of stuff it says "
        f"neither where nor that it is absent; a panoptic detector does: {PANOPTIC}"
    }
