"""Which of the counted reasons leave something out, and which keep it otherwise than the file."""

from __future__ import annotations

import re

# How the reasons say it: of boxes that are cut, shapes that become boxes, sizes and paths set right
_KEPT = re.compile(
    r"clipped to|\bread as\b|, taken as\b|\bkept as text|box alone is read|box around them is taken"
    r"|boxes scaled to it|turned with them|set right|boxes fit as they are|kept without --check"
    r"|\bjoined\b|size was read from their file|found in another folder|own folder taken"
    r"|folder images taken|^names of |^categories with a number for a name|mixed in without"
)


def tell_effect(reason: str) -> str:
    """``changed`` where what is counted under `reason` stays in another form, or ``left out``."""
    return "changed" if _KEPT.search(reason) else "left out"
