"""What is known of each family of vision-language models: strings and values only.

Everything that differs by family is asked of its record here, and a model of no family gets the
defaults, which claim nothing. A new family is one record; where it claims something of the model
(`prompt`, `packable`, `prefix_cacheable`), also one file in `tests/families`, on which it is tried.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

# How many tokens an image is: as many for each; tiles and the whole image; by the image's own size
ImageTokens = Literal["", "square", "tiles", "native"]
# Inputs with a number per token; of text it is 0
TOKEN_TYPES = (
    *("token_type_ids", "mm_token_type_ids", "moe_mm_token_type_ids"),
    "image_embeds_position_mask",  # of Kosmos
)
# Inputs (1, tokens, ...) that say which images a token looks at; text goes on as the prefix ends
IMAGE_MASKS = ("cross_attention_mask", "image_attention_mask")

_TYPE_ENDS = re.compile(r"(processor|forconditionalgeneration|forcausallm|model)$")


@dataclass(frozen=True)
class Prompt:
    """How a processor without a chat template writes a question; `{bos}` and such are tokens."""

    before: str
    between: str  # which the processor adds by itself to all that it is given
    lead: str
    after: str
    given: str  # to the processor, for `before`
    adds: bool = True  # whether the processor writes `between` behind what it is given
    starts: bool = False  # whether the processor writes `bos` where it is let add special tokens


@dataclass(frozen=True)
class Family:
    """One family. Whatever is claimed here is tried by the tests."""

    name: str
    model_types: tuple[str, ...] = ()  # `model_type` of config.json; classes are named after them
    hub_name: str = ""  # pattern of a name on the hub: lower case, `_` as `-`, without the owner

    # Coordinates, listed only where they are known to be those of the dialect
    dialect: str = ""
    config_keys: tuple[str, ...] = ()  # without these it is a language model of the same type
    config_values: Mapping[str, str] = field(default_factory=dict)  # with others it is unknown
    frame_by_processor: bool = False  # the processor's settings say what is seen, not the dialect
    pixel_bounds: bool = False  # the dialect takes the processor's `min_pixels` and `max_pixels`

    # Inputs
    prompt: Prompt | None = None  # where there is no chat template
    refused: str = ""  # why it can be asked nothing, whatever template there is
    image_tokens: ImageTokens = ""
    tiles: int = 0  # along the longer side of an image
    # `token_type_ids` of an answer; 0: the processor's marks alone. Gemma 3 and T5Gemma 2 mark
    # images with 1, whose tokens see each other; Gemma 4 has `mm_token_type_ids` for that.
    answer_token_type: int = 0
    asks_token_types: bool = False  # gives the `mm_token_type_ids` that it needs when asked alone

    # The model
    encoder: str = "vision_tower"  # names of modules
    adapter: tuple[str, ...] = ("multi_modal_projector",)
    packable: bool = False  # the language model is causal and takes a `Packing`
    prefix_cacheable: bool = False  # keys and values are all that is needed of an image
    reads_several: bool = False  # images in one pass, each as if alone
    encoder_cacheable: bool = False  # a frozen encoder's outputs can stand for images


FAMILIES = (
    Family(
        "llava-1.5",
        ("llava",),
        r"\bllava-(v)?1\.5\b",
        dialect="llava-1.5",
        config_values={  # the same type is on Pixtral (another encoder) and BakLLaVA (Mistral)
            "vision_config.model_type": "clip_vision_model",
            "text_config.model_type": "llama",
            "image_aspect_ratio": "pad",
        },
        frame_by_processor=True,
        image_tokens="square",
        packable=True,
        prefix_cacheable=True,
        reads_several=True,
        encoder_cacheable=True,
    ),
    Family(
        "llava-next",
        ("llava_next",),
        adapter=("multi_modal_projector", "image_newline"),
        packable=True,
        prefix_cacheable=True,
    ),
    Family(  # a LLaVA that reads clips (`locvlm.models.video_llava`)
        "pooled-video-llava",
        ("pooled_video_llava",),
        image_tokens="square",
        packable=True,
        prefix_cacheable=True,
        encoder_cacheable=True,
    ),
    Family(
        "idefics3",
        ("idefics3",),
        image_tokens="tiles",
        tiles=4,
        encoder="vision_model",
        adapter=("connector",),
        packable=True,
        prefix_cacheable=True,
    ),
    Family(
        "smolvlm",
        ("smolvlm",),
        image_tokens="tiles",
        tiles=4,
        encoder="vision_model",
        adapter=("connector",),
        packable=True,
        prefix_cacheable=True,
    ),
    Family(
        "internvl",
        ("internvl",),
        r"\b(mini-)?internvl(?!a)",
        dialect="internvl",
        packable=True,
        prefix_cacheable=True,
    ),
    Family("internvl-chat", ("internvl_chat",), dialect="internvl"),
    Family(
        "qwen-vl",
        ("qwen",),
        r"\bqwen-vl\b(?!-(max|plus))",
        dialect="qwen-vl",
        config_keys=("visual",),
    ),
    Family(
        "qwen2-vl",
        ("qwen2_vl",),
        r"\bqwen2-vl\b",
        dialect="qwen2-vl",
        image_tokens="native",
        encoder="visual",
        adapter=("merger",),
        packable=True,
        prefix_cacheable=True,
    ),
    Family(
        "qwen2.5-vl",
        ("qwen2_5_vl",),
        r"\bqwen2\.5-vl\b",
        dialect="qwen2.5-vl",
        pixel_bounds=True,
        image_tokens="native",
        encoder="visual",
        adapter=("merger",),
        packable=True,
        prefix_cacheable=True,
    ),
    Family(
        "qwen3-vl",
        ("qwen3_vl",),
        r"\bqwen3-vl\b",
        dialect="qwen3-vl",
        image_tokens="native",
        encoder="visual",
        adapter=("merger", "deepstack_merger_list"),
        packable=True,
        prefix_cacheable=True,
    ),
    Family(
        "qwen3-vl-moe",
        ("qwen3_vl_moe",),
        dialect="qwen3-vl",
        image_tokens="native",
        encoder="visual",
        adapter=("merger", "deepstack_merger_list"),
    ),
    Family(
        "qwen3.5",
        ("qwen3_5", "qwen3_5_moe"),
        image_tokens="native",
        encoder="visual",
        adapter=("merger",),
    ),
    Family(
        "paligemma",
        ("paligemma",),
        r"\bpaligemma2?\b",
        dialect="paligemma",
        prompt=Prompt("{image}{bos}", "\n", "", "{eos}", given="{image}"),
        answer_token_type=1,  # where it is causal; this family's alone
    ),
    Family("gemma-3", ("gemma3", "t5gemma2")),  # whose processor is Gemma 3's
    Family("gemma-4", ("gemma4",), adapter=("embed_vision",)),
    Family(
        "florence-2",
        ("florence2",),
        r"\bflorence-2\b",
        dialect="florence-2",
        # the encoder reads the question, the decoder writes all of `<s>answer</s>`
        prompt=Prompt("{image}{bos}", "{eos}", "{bos}", "{eos}", given=""),
    ),
    Family("cosmos3-edge", ("cosmos3_edge",), asks_token_types=True),
    Family("shikra", ("shikra",), r"\bshikra\b", dialect="shikra"),
    Family(  # its processor writes the image before all that it is given
        "kosmos-2",
        ("kosmos-2",),
        r"\bkosmos-2(?![.\d])",
        dialect="kosmos-2",
        prompt=Prompt(
            "{bos}<image></image><grounding>",
            *(" Answer:", " ", "{eos}"),
            given="<grounding>",
            adds=False,
            starts=True,
        ),
    ),
    Family(  # likewise, and it writes `bos` by itself; asked as the chat checkpoint is
        "kosmos-2.5",
        ("kosmos-2.5",),
        prompt=Prompt(
            "{bos}<image></image>A chat between a curious user and an artificial intelligence "
            "assistant. The assistant gives helpful, detailed, and polite answers to the user's "
            "questions. USER: ",
            *(" ASSISTANT:", " ", "{eos}"),
            given="A chat between a curious user and an artificial intelligence assistant. The "
            "assistant gives helpful, detailed, and polite answers to the user's questions. USER: ",
            adds=False,
        ),
    ),
    Family(  # its processor writes the image before the text
        "idefics",
        ("idefics",),
        prompt=Prompt(
            "{bos}<fake_token_around_image><image><fake_token_around_image>",
            *("\nAssistant:", " ", "{eos}"),
            given="",
            adds=False,
        ),
    ),
    Family(
        "got-ocr2",
        ("got_ocr2",),
        prompt=Prompt(
            "<|im_start|>system\nYou should follow the instructions carefully and explain your "
            "answers in detail.<|im_end|><|im_start|>user\n<img>{image}</img>\n",
            *("<|im_end|><|im_start|>assistant\n", "", "<|im_end|>"),
            given="<|im_start|>system\nYou should follow the instructions carefully and explain "
            "your answers in detail.<|im_end|><|im_start|>user\n<img>{image}</img>\n",
            adds=False,
        ),
    ),
    Family(
        "instructblip",
        ("instructblip", "instructblipvideo"),
        refused="its Q-Former reads each question beside the image, and LocVLM has an image read "
        "once for all its questions",
    ),
    Family("ferret", ("ferret_llama",), r"^ferret(-ui)?\b", dialect="ferret"),
    Family("minigpt-v2", ("minigpt4",), r"\bminigpt-?v2\b", dialect="minigpt-v2"),
    Family("cogvlm", ("cogvlm", "cogagent"), r"\bcogvlm(?!2)|\bcogagent\b", dialect="cogvlm"),
    Family("molmo", ("molmo",), r"\bmolmo(e)?-", dialect="molmo"),
    Family("glm-4.1v", ("glm4v", "glm4v_moe", "glm46v"), r"\bglm-?4(\.\d)?v\b", dialect="glm-4v"),
    Family("glm-4v", ("chatglm",), dialect="glm-4v", config_keys=("vision_config",)),
    Family("gemini", (), r"\bgemini-", dialect="gemini"),
    Family("deepseek-vl2", ("deepseek_vl_v2",), r"\bdeepseek-vl2\b", dialect="deepseek-vl2"),
)


def get_family(type_name: str) -> Family:
    """The record of a `model_type`, or of a class of models or processors.

    >>> get_family("Qwen2_5_VLProcessor").name
    'qwen2.5-vl'

    Of what is in no record one that claims nothing, with that name.
    """
    return _BY_TYPE.get(_plain(type_name)) or Family(type_name)


def find_named(model: str) -> list[Family]:
    """Those whose pattern the name of a model matches."""
    name = model.rstrip("/").rsplit("/", 1)[-1].lower().replace("_", "-")
    return [each for each in FAMILIES if each.hub_name and re.search(each.hub_name, name)]


def _plain(type_name: str) -> str:
    """Letters and digits only, of a class without what kind of class it is."""
    return _TYPE_ENDS.sub("", re.sub(r"[^a-z0-9]", "", type_name.lower()))


_BY_TYPE = {_plain(name): each for each in FAMILIES for name in each.model_types}
