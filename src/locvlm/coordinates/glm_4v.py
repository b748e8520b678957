"""GLM-4.1V, GLM-4.5V, GLM-4.6V: ``<|begin_of_box|>[[94,598,177,991]]<|end_of_box|>``, thousandths.

Source: arXiv 2507.01006; Z.ai's skill "glmv-grounding" (x = round(x_pixel / W * 1000)), and the
answers in Z.ai's own examples. The form of points is not published.
"""

from locvlm.coordinates.dialect import Dialect, Form


class GLM4V(Dialect):
    """``[[x1,y1,x2,y2]]`` in the marks of an answer, each an integer 0 … 1000. Boxes only."""

    name = "glm-4v"
    scale = 1000
    top = 1000
    box = Form("[{},{},{},{}]", "<|begin_of_box|>[", "]<|end_of_box|>")
