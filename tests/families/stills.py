"""Processors for pictures alone: those of videos need torchvision."""

from transformers import ProcessorMixin


def stills_only(kind: type[ProcessorMixin]) -> type[ProcessorMixin]:
    """`kind` under its own name, without the part that reads videos."""

    class Stills(kind):
        @classmethod
        def get_attributes(cls) -> list[str]:
            return [name for name in super().get_attributes() if name != "video_processor"]

    Stills.__name__ = kind.__name__
    return Stills
