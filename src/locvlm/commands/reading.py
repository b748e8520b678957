"""What commands say of annotations that they have read."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from locvlm.annotations.effects import tell_effect
from locvlm.shown.terminal import say

if TYPE_CHECKING:
    from locvlm.annotations.base import AnnotationSet


def print_left_out(data: AnnotationSet) -> None:
    """What was left out or changed, each with an example, and what is odd about the whole."""
    from locvlm.annotations.drops import examples_of

    examples = examples_of(data.drops)
    for reason, count in data.drops.items():
        example = f" (the first: {first})" if (first := examples.get(reason)) else ""
        say(f"{tell_effect(reason)}, {reason}: {count}{example}")
    for remark in data.remarks:
        say(remark, file=sys.stderr)
