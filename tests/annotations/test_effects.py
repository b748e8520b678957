"""What stays is not said to be left out."""

import pytest

from locvlm.annotations.boxes import CLIPPED, NO_AREA, NOT_FINITE, OUTSIDE
from locvlm.annotations.coco_orientation import REASON as SET_RIGHT
from locvlm.annotations.effects import tell_effect
from locvlm.annotations.recorded_sizes import FITTING, OTHER, SCALED, TURNED
from locvlm.annotations.repeated_boxes import REASON as REPEATED
from locvlm.annotations.yolo import UNLABELLED
from locvlm.annotations.yolo_labels import UPRIGHT
from locvlm.instructions.filters import AT_EDGE, UNDESCRIBED
from locvlm.instructions.image_checks import REASON as UNREADABLE
from locvlm.interchange.importing.messages import OTHER_SIZE

KEPT = (CLIPPED, SET_RIGHT, FITTING, OTHER, SCALED, TURNED, UPRIGHT, OTHER_SIZE)
GONE = (NO_AREA, OUTSIDE, NOT_FINITE, REPEATED, UNLABELLED, UNDESCRIBED, AT_EDGE, UNREADABLE)


@pytest.mark.parametrize("reason", [*KEPT, "locations clipped to what the model sees"])
def test_changed(reason: str) -> None:
    assert tell_effect(reason) == "changed"


@pytest.mark.parametrize("reason", [*GONE, "images that are there twice, the first taken"])
def test_left_out(reason: str) -> None:
    assert tell_effect(reason) == "left out"
