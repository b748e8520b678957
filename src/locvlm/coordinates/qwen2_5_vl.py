"""Qwen2.5-VL: ``{"bbox_2d": [341, 258, 397, 360]}``, pixels of the picture that the model sees.

Source: arXiv 2502.13923; github.com/QwenLM/Qwen2.5-VL, `qwen-vl-finetune/tools/process_bbox.ipynb`
(rounded half to even, clipped to the last pixel); the size of that picture: `smart_resize`.
"""

from dataclasses import dataclass

from locvlm.coordinates.dialect import Form
from locvlm.coordinates.json_dialect import JsonDialect
from locvlm.errors import InputError
from locvlm.geometry import Frame, Size
from locvlm.processors.smart_resize import smart_resize

FACTOR = 28  # the sides of the picture are multiples of it: 2 x 2 patches of 14 pixels


@dataclass(frozen=True)
class Qwen25VL(JsonDialect):
    """JSON with ``bbox_2d`` (x1, y1, x2, y2) or ``point_2d`` (x, y), whole pixels of `frame`.

    The options are those of the model's `preprocessor_config.json`; with others the model sees a
    picture of another size, and the same text means another place.
    """

    min_pixels: int = 56 * 56
    max_pixels: int = 16384 * FACTOR * FACTOR

    name = "qwen2.5-vl"
    box = Form('"bbox_2d": [{}, {}, {}, {}]', "{", "}")
    point = Form('"point_2d": [{}, {}]', "{", "}")
    key_of = {"box": "bbox_2d", "point": "point_2d"}  # noqa: RUF012
    relative_to = "seen"

    def __post_init__(self) -> None:
        if not 0 < self.min_pixels <= self.max_pixels:
            raise InputError(
                f"{self.name}: min_pixels {self.min_pixels} and max_pixels {self.max_pixels} must "
                "be positive, and the first no larger than the second"
            )

    def extent(self, frame: Frame) -> tuple[float, float]:
        return frame.model

    def largest(self, frame: Frame) -> tuple[float, float]:
        return (frame.model[0] - 1, frame.model[1] - 1)

    def frame(self, size: Size) -> Frame:
        """Resized to a size that `smart_resize` finds. Raises InputError for a sliver."""
        return Frame.resize(size, smart_resize(size, self.min_pixels, self.max_pixels, FACTOR))
