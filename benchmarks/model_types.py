"""Which of transformers' image-text-to-text models LocVLM can train, each tiny and random.

    PYTHONPATH=src:. python benchmarks/model_types.py --out types.md
    PYTHONPATH=src:.:FOLDER python benchmarks/model_types.py --torchvision --out beside.md

Of each model type: the default configuration with small numbers, the default image processor, a
tokenizer of some hundred tokens and a chat template of one line. Then, in a process of its own: is
the folder loaded, where is its frame from, does a step of LoRA give a finite loss, is the result
merged. Where a type cannot be built so (its defaults fit no small numbers, say), nothing is known
of it: that is no refusal by LocVLM, and the table says so.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import inspect
import multiprocessing
import os
import re
import resource
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

LIMIT_S, LIMIT_GIB = 60, 6
SMALL = {  # by the end of a setting's name
    "hidden_size": 64, "hidden_dim": 64, "d_model": 64, "embed_dim": 64, "n_embd": 64, "dim": 64,
    "projection_dim": 64, "out_hidden_size": 64, "output_dim": 64, "cross_hidden_size": 64,
    "intermediate_size": 64, "ffn_dim": 64, "mlp_dim": 64, "intermediate_size_mlp": 64,
    "num_hidden_layers": 2, "num_layers": 2, "depth": 2, "encoder_layers": 2, "decoder_layers": 2,
    "n_layer": 2, "num_global_layers": 2, "num_attention_heads": 4, "num_heads": 4, "n_head": 4,
    "attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "num_experts": 4,
    "n_routed_experts": 4, "num_local_experts": 4, "moe_num_experts": 4, "num_experts_per_tok": 2,
    "moe_intermediate_size": 32, "shared_expert_intermediate_size": 32, "moe_topk": 2, "top_k": 2,
    "hidden_size_per_layer_input": 8, "num_kv_shared_layers": 0, "n_group": 1, "topk_group": 1,
}  # fmt: skip
LISTS: dict[str, list[Any]] = {
    "mrope_section": [4, 2, 2],
    "deepstack_visual_indexes": [0],
    "fullatt_block_indexes": [1],
    "cross_attention_layers": [1],
    "no_rope_layers": [1, 1],
    "mlp_layer_types": ["dense", "dense"],
}
TOKENS = (
    "<|im_start|> <|im_end|> <image> <video> <audio> <|image_pad|> <|video_pad|> <|vision_start|> "
    "<|vision_end|> <|image|> <|image_start|> <|image_end|> <|patch|> <IMG_CONTEXT> <img> </img> "
    "<|IMG_PATCH|> <|START_OF_IMG|> <|END_OF_IMG|> <|IMG_LINE_BREAK|> TILE_GLOBAL TILE_1 TILE_2 "
    "TILE_3 TILE_4 TILE_5 TILE_6 TILE_7 TILE_8 TILE_9 TILE_10 TILE_11 TILE_12 [IMG] [IMG_BREAK] "
    "[IMG_END] <fake_token_around_image> <global-img> <end_of_utterance> <start_of_image> "
    "<end_of_image> <image_soft_token> <|begin_of_image|> <|end_of_image|> <im_patch> "
    "<|tile_x_separator|> <|tile_y_separator|> <|img|> <|endofimg|> <|imgpad|> <pad> <boi> <eoi>"
)
ROWS = [f"<row_{row + 1}_col_{column + 1}>" for row in range(6) for column in range(6)]
MARKS = {"image_token": "<image>", "video_token": "<video>", "audio_token": "<audio>",
         "boi_token": "<boi>", "eoi_token": "<eoi>", "boa_token": "<boi>", "eoa_token": "<eoi>",
         "start_image_token": "<img>", "end_image_token": "</img>",
         "context_image_token": "<IMG_CONTEXT>", "image_start_token": "<|image_start|>",
         "image_end_token": "<|image_end|>", "image_break_token": "[IMG_BREAK]",
         "fake_image_token": "<fake_token_around_image>", "global_image_token": "<global-img>",
         "vision_start_token": "<|vision_start|>",
         "vision_end_token": "<|vision_end|>"}  # fmt: skip
CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}IMAGE{% else %}"
    "{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
STEPS = ("built", "loads", "frame", "trains", "merges")


def main() -> None:
    """The whole table, a type at a time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--torchvision", action="store_true", help="with the tests' plugin")
    parser.add_argument("--only", nargs="*")
    options = parser.parse_args()
    if options.torchvision:
        importlib.import_module("tests.beside_torchvision")
    from transformers.models.auto import modeling_auto

    names = options.only or sorted(modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES)
    rows = []
    for name in names:
        rows.append(try_apart(name))
        print(name, rows[-1], flush=True)
        write_table(rows, names, options.out)


def write_table(rows: list[dict[str, str]], names: list[str], out: Path) -> None:
    """What is known so far."""
    lines = ["| type | " + " | ".join(STEPS) + " | why not |", "|---" * (len(STEPS) + 2) + "|"]
    for name, row in zip(names, rows, strict=False):
        cells = [row.get(step, "") for step in STEPS]
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {row.get('why', '')} |")
    counts = {step: sum(bool(row.get(step)) for row in rows) for step in STEPS}
    total = ", ".join(f"{step} {count}" for step, count in counts.items())
    out.write_text("\n".join([*lines, "", f"Of {len(rows)}: {total}.", ""]))


def try_apart(name: str) -> dict[str, str]:
    """In a process of its own, bounded in time and memory."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=try_type, args=(name, theirs))
    process.start()
    theirs.close()
    row: dict[str, str] = {}
    with contextlib.suppress(EOFError):
        while ours.poll(LIMIT_S):
            row = ours.recv()
            if "done" in row:
                break
    if process.is_alive() and "done" not in row:
        row |= {"why": row.get("why") or f"not done in {LIMIT_S} s"}
        process.kill()
    process.join()
    return row


def try_type(name: str, told: Any) -> None:
    """Tell `told` what is done, step by step."""
    memory = LIMIT_GIB << 30
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    with Path(os.devnull).open("w") as nowhere:
        sys.stdout = sys.stderr = nowhere
        row: dict[str, str] = {}
        try:
            with tempfile.TemporaryDirectory() as folder:
                for step, said in try_steps(name, Path(folder)):
                    row[step] = said
                    told.send(row)
        except BaseException as error:
            row["why"] = reason_of(error)
            if os.environ.get("TRACE"):
                print(traceback.format_exc(), file=sys.__stderr__)
        told.send(row | {"done": ""})
        os._exit(0)


def reason_of(error: BaseException) -> str:
    """One line, and whether LocVLM said it."""
    text = " ".join(str(error).split()).replace("|", "¦")
    text = re.sub(r"/tmp/\S*/", "", text)[:160]
    kind = type(error).__name__
    return f"refused: {text}" if kind == "InputError" else f"{kind}: {text}"


def try_steps(name: str, folder: Path) -> Any:
    """The steps that are done, each with what is said of it."""
    from locvlm import coordinates
    from locvlm.models import load
    from locvlm.processors import frame_of, has_formula

    build(name, folder)
    yield "built", "yes"
    speech = coordinates.get("qwen3-vl")
    processor, _ = load.load_processor(folder, speech=speech)
    model = load.load_whole(folder, "auto")
    yield "loads", "yes"
    frame_of(processor, (640, 480))
    yield "frame", "formula" if has_formula(processor) else "probe"
    adapter = train_step(model, processor, speech, folder)
    yield "trains", "yes"
    from locvlm.publishing.merge import merge

    merge(str(adapter), folder / "merged")
    yield "merges", "yes"


def train_step(model: Any, processor: Any, speech: Any, folder: Path) -> Path:
    """LoRA learns from one answer; the folder of the adapter."""
    import torch
    from PIL import Image

    from locvlm.instructions.base import Conversation, Instruction
    from locvlm.models.folders import ModelSettings
    from locvlm.training.adapters import add_adapter, choose_trained, save_adapter
    from locvlm.training.data.collator import Collator
    from locvlm.training.data.padded_rows import build_encoder_decoder_batch, build_padded_batch
    from locvlm.training.recipe import LoraSettings
    from locvlm.training.tasks.supervised import answer_loss

    tuned = add_adapter(model, LoraSettings(rank=2, alpha=2, targets=("all",)))
    choose_trained(tuned, {"lora"})
    image = Image.radial_gradient("L").resize((640, 480)).convert("RGB")
    asked = Instruction("locpred", "Where is the dog?", "It is there.")
    conversation = Conversation("1.png", 640, 480, (asked,))
    encoded = Collator(processor, speech).encode(conversation, image)
    build_batch = build_encoder_decoder_batch if reads_apart(model) else build_padded_batch
    batch = build_batch([encoded], 0)
    loss, _ = answer_loss(tuned(**batch.inputs, use_cache=False).logits, batch)
    loss.backward()
    grads = [p.grad for p in tuned.parameters() if p.grad is not None]
    if not torch.isfinite(loss) or not any(grad.abs().sum() > 0 for grad in grads):
        raise ValueError(f"loss {float(loss)}, {len(grads)} gradients, all 0")
    adapter = folder / "adapter"
    save_adapter(tuned, adapter, lora=True)
    ModelSettings(format="qwen3-vl", base=str(folder)).write(adapter)
    return adapter


def reads_apart(model: Any) -> bool:
    """Whether an encoder reads the question."""
    return bool(getattr(model.config, "is_encoder_decoder", False))


def build(name: str, folder: Path) -> None:
    """Write a tiny random model of a type, and its processor."""
    import torch
    from transformers import AutoModelForImageTextToText

    tokenizer = make_tokenizer()
    processor = make_processor(name, tokenizer)
    config = small_config(name, tokenizer, processor)
    torch.manual_seed(0)
    model = AutoModelForImageTextToText.from_config(config)
    if sum(p.numel() for p in model.parameters()) > 300e6:
        raise ValueError("too large with small numbers")
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def make_tokenizer() -> Any:
    """Of some hundred tokens, those of all families among them."""
    from transformers import Qwen2Tokenizer

    from tests.families.tokens import byte_level

    tokenizer = Qwen2Tokenizer(**byte_level(), extra_special_tokens=MARKS)
    tokenizer.add_special_tokens({"additional_special_tokens": [*TOKENS.split(), *ROWS]})
    tokenizer.eos_token, tokenizer.pad_token = "<|im_end|>", "<pad>"
    tokenizer.bos_token = "<|im_start|>"
    return tokenizer


def make_processor(name: str, tokenizer: Any) -> Any:
    """The type's own, with the default image processor."""
    from transformers import AutoConfig
    from transformers.models.auto import image_processing_auto, processing_auto

    from locvlm.compat.image_processors import VIDEOS, stills_only

    known = processing_auto.PROCESSOR_MAPPING_NAMES.get(name)
    if known is None:
        raise ValueError("transformers maps no processor to this type")
    kind = processing_auto.processor_class_from_name(known)
    backends = image_processing_auto.IMAGE_PROCESSOR_MAPPING_NAMES.get(name) or {}
    reader = image_processing_auto._load_class_with_fallback(backends, "pil")
    if reader is None:
        raise ValueError("its images need torchvision")
    config = AutoConfig.for_model(name)
    vision = getattr(config, "vision_config", None)
    images = reader()
    tokens = tokens_of(images, getattr(vision, "patch_size", None))
    given = {"image_processor": images, "tokenizer": tokenizer, "qformer_tokenizer": tokenizer,
             "patch_size": getattr(vision, "patch_size", None), "chat_template": CHAT,
             "vision_feature_select_strategy": "default", "num_image_tokens": tokens,
             "image_seq_len": tokens, "image_seq_length": tokens}  # fmt: skip
    wanted = inspect.signature(kind.__init__).parameters
    made = stills_only(kind) if VIDEOS in kind.get_attributes() else kind
    options = {key: value for key, value in given.items() if key in wanted}
    processor = made(**options)
    image = getattr(processor, "boi_token", None) if "Gemma3" in known else None
    token = image or getattr(processor, "image_token", "<image>")
    processor.chat_template = CHAT.replace("IMAGE", str(token))
    return processor


def tokens_of(images: Any, patch: Any) -> int:
    """Of a picture whose every patch is a token."""
    from locvlm.processors import frame_of

    try:
        return (max(frame_of(images, (640, 480)).model) // int(patch)) ** 2
    except Exception:
        return 16


def small_config(name: str, tokenizer: Any, processor: Any) -> Any:
    """The default configuration with small numbers."""
    from transformers import AutoConfig

    config = AutoConfig.for_model(name)
    image = tokenizer.convert_tokens_to_ids(str(getattr(processor, "image_token", "<image>")))
    small = shrink(config.to_dict(), tokenizer, image)
    vision = small.get("vision_config")
    if isinstance(vision, dict) and isinstance(vision.get("image_size"), int):
        with contextlib.suppress(Exception):  # those of any size have none
            from locvlm.processors import frame_of

            vision["image_size"] = max(frame_of(processor, (640, 480)).model)
    language = small.get("text_config") or small
    if re.match("qwen|glm|cosmos|ernie|exaone|paddle|hunyuan", name):
        turning = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [4, 2, 2]}
        language["rope_parameters"] = language["rope_scaling"] = turning
    return type(config).from_dict(small)


def shrink(settings: dict[str, Any], tokenizer: Any, image: int) -> dict[str, Any]:
    """The same settings with small numbers, and token ids that the tokenizer has."""
    size = len(tokenizer)
    return {key: small_value(key, value, tokenizer, image, size) for key, value in settings.items()}


def small_value(key: str, value: Any, tokenizer: Any, image: int, size: int) -> Any:
    """Of one setting, or of a part."""
    if isinstance(value, dict):
        return shrink(value, tokenizer, image)
    if isinstance(value, list):
        return LISTS.get(key, value[:2] if key == "layer_types" else value)
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    if key == "vocab_size":
        return size
    if re.fullmatch(r"(image|media|im)_?(patch_)?(token_(id|index)|placeholder_token_id)", key):
        return image
    if key.endswith(("token_id", "token_index")):
        return tokenizer.eos_token_id if "eos" in key else value if value < size else 1
    for end, small in SMALL.items():
        if key == end or key.endswith(f"_{end}"):
            return min(value, small)
    return value


if __name__ == "__main__":
    main()
