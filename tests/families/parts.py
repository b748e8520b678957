"""A tiny CLIP and a tiny Llama in folders as from the hub, for a recipe's `parts`."""

from pathlib import Path

import torch
from transformers import CLIPConfig, CLIPModel, LlamaForCausalLM, LlamaTokenizer
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from tests.families.llava import SIDE, clip_config, llama_config
from tests.families.tokens import sentencepiece


def write_parts(folder: Path) -> tuple[Path, Path]:
    """The folders of an encoder and of a language model, below `folder`."""
    return write_clip(folder / "clip"), write_llama(folder / "llama")


def write_clip(folder: Path) -> Path:
    """A whole CLIP, of which the vision half is used."""
    torch.manual_seed(1)
    config = CLIPConfig(vision_config=clip_config().to_dict())
    config.text_config.update({"num_hidden_layers": 1, "hidden_size": 16, "intermediate_size": 16})
    config.text_config.update({"num_attention_heads": 2, "vocab_size": 20, "eos_token_id": 2})
    CLIPModel(config).save_pretrained(folder)
    square = {"height": SIDE, "width": SIDE}
    CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=square).save_pretrained(folder)
    return folder


def write_llama(folder: Path, *, tied: bool = False, template: str | None = None) -> Path:
    """A language model and its tokenizer."""
    torch.manual_seed(2)
    tokenizer = LlamaTokenizer(**sentencepiece(["<unk>", "<s>", "</s>"]), add_bos_token=True)
    tokenizer.chat_template = template
    config = llama_config(tokenizer)
    config.tie_word_embeddings = tied
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
