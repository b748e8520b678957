"""What is tried of a model type, step by step, in the process it is called in."""

from __future__ import annotations

import os
import re
import resource
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

from benchmarks.model_types.tiny import build

STEPS = ("built", "loads", "frame", "trains", "merges")
LIMIT_GIB = 6


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
    text = re.sub(r"/tmp/\w+(: |\S*/)", "", text)[:160]
    kind = type(error).__name__
    return f"refused: {text}" if kind == "InputError" else f"{kind}: {text}"


def try_steps(name: str, folder: Path) -> Any:
    """The steps that are done, each with what is said of it."""
    from locvlm import coordinates
    from locvlm.models import load
    from locvlm.processors import frame_of, has_formula

    yield "built", build(name, folder)
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
    images = [
        grey.resize((640, 480)).convert("RGB")
        for grey in (Image.radial_gradient("L"), Image.linear_gradient("L"))
    ]
    asked = Instruction("locpred", "Where is the dog?", "It is there.")
    conversation = Conversation("1.png", 640, 480, (asked,))
    collator = Collator(processor, speech)
    build_batch = build_encoder_decoder_batch if reads_apart(model) else build_padded_batch
    batch, other = (build_batch([collator.encode(conversation, image)], 0) for image in images)
    logits = tuned(**batch.inputs, use_cache=False).logits
    loss, _ = answer_loss(logits, batch)
    loss.backward()
    with torch.no_grad():
        if torch.equal(logits, tuned(**other.inputs, use_cache=False).logits):
            raise ValueError("the answer's logits are the same for another image")
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
