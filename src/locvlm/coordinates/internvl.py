"""InternVL: ``<box>[[243, 469, 558, 746]]</box>``, thousandths of the picture.

Source: InternVL's documentation, "Chat Data Format", section "Grounding / Detection Data"
(rounded half to even; InternVL-Chat-V1.5 was trained on numbers cut off,
github.com/OpenGVLab/InternVL/issues/285). The picture is tiled, the numbers are of the whole.
"""

from locvlm.coordinates.dialect import Dialect, Form


class InternVL(Dialect):
    """``<box>[[x1, y1, x2, y2]]</box>``, each an integer 0 … 1000. Boxes only."""

    name = "internvl"
    scale = 1000
    top = 1000
    box = Form("[{}, {}, {}, {}]", "<box>[", "]</box>")
    shared = ", "
    labelled = "<ref>{label}</ref>{place}"
    joint = ""
