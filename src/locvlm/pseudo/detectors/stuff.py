"""Which categories of a panoptic segmenter are stuff, such as sky: seen, but never one or two.

Models say so in no common way; told are the categories of the data sets that published ones are
trained on: COCO panoptic, ADE20K (150 categories) and Cityscapes (19).
"""

from __future__ import annotations

from collections.abc import Sequence

COCO = frozenset(
    {
        *("banner", "blanket", "bridge", "cardboard", "counter", "curtain", "door-stuff"),
        *("floor-wood", "flower", "fruit", "gravel", "house", "light", "mirror-stuff", "net"),
        *("pillow", "platform", "playingfield", "railroad", "river", "road", "roof", "sand", "sea"),
        *("shelf", "snow", "stairs", "tent", "towel", "wall-brick", "wall-stone", "wall-tile"),
        *("wall-wood", "water-other", "window-blind", "window-other", "tree-merged"),
        *("fence-merged", "ceiling-merged", "sky-other-merged", "cabinet-merged", "table-merged"),
        *("floor-other-merged", "pavement-merged", "mountain-merged", "grass-merged"),
        *("dirt-merged", "paper-merged", "food-other-merged", "building-other-merged"),
        *("rock-merged", "wall-other-merged", "rug-merged"),
    }
)
# Places, for the names differ from model to model ("road", "road, route")
ADE20K = frozenset(
    {
        *(0, 1, 2, 3, 4, 5, 6, 9, 11, 13, 16, 17, 21, 25, 26, 28, 29, 34, 40, 46, 48, 51, 52, 54),
        *(59, 60, 61, 63, 68, 77, 79, 84, 91, 94, 96, 99, 100, 101, 105, 106, 109, 113, 114, 117),
        *(122, 128, 131, 140, 141, 145),
    }
)
CITYSCAPES = frozenset(range(11))


def stuff_among(names: Sequence[str]) -> frozenset[int]:
    """Places of the stuff among the names of a model's categories; none where they are others."""
    if "wall-other-merged" in names:
        return frozenset(place for place, name in enumerate(names) if name in COCO)
    first = [name.partition(",")[0] for name in names[:3]]
    if len(names) == 150 and first == ["wall", "building", "sky"]:
        return ADE20K
    if len(names) == 19 and first == ["road", "sidewalk", "building"]:
        return CITYSCAPES
    return frozenset()
