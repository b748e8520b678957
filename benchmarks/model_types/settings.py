"""What a model type needs beside small numbers to be built tiny, read in its configuration.

A type without an entry needs nothing of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Tiny:
    """Of one type.

    Args:
        config: settings of the configuration, by their path in it ("text_config.head_dim"); a
            token for its id.
        images: options of the image processor ({"size": {"height": 56, "width": 56}}).
        processor: options of the processor.
        processor_class: where transformers maps none to the type: the one its checkpoints name.
        like: the type whose processors it has, where transformers maps none to it.
        hears: the type whose feature extractor it has, where it is another.
        tokens: named tokens of the tokenizer, beside those that the processor's source names.
        words: further tokens of the tokenizer.
        image: what its chat template writes for an image, where that isn't the `image_token`.
        chat: its chat template, with IMAGE where the image stands; None: the one of `tiny.py`.
        unbuilt: why it isn't built at all.
        config_alone: LocVLM refuses it by its name: there is no need to build it.
    """

    config: dict[str, Any] = field(default_factory=dict)
    images: dict[str, Any] = field(default_factory=dict)
    processor: dict[str, Any] = field(default_factory=dict)
    processor_class: str | None = None
    like: str | None = None
    hears: str | None = None
    tokens: dict[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    image: str | None = None
    chat: str | None = None
    unbuilt: str | None = None
    config_alone: bool = False


class Id(str):
    """Stands in a `config` for the id of this token."""
