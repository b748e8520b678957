"""Detectors of transformers with random weights: every part of the real ones, none of their size.

`build` fills a folder as `save_pretrained` leaves it. The weights are large, so that boxes and
chances differ from query to query and from picture to picture.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers as hf

NAMES = {0: "cat", 1: "dog", 2: "car"}
PANOPTIC_NAMES = {0: "person", 1: "dog", 2: "sky-other-merged", 3: "wall-other-merged"}
QUERIES = 12
WORDS = ("cat", "dog", "red", "car")

_SMALL = {"size": {"shortest_edge": 96, "longest_edge": 160}}
_SQUARE = {"size": {"height": 64, "width": 64}}
_RESNET: dict[str, Any] = {
    "embedding_size": 8,
    "hidden_sizes": [8, 8, 8, 8],
    "depths": [1, 1, 1, 1],
    "layer_type": "basic",
}
_HEADS = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
_LAYERS = {"encoder_layers": 1, "decoder_layers": 2}
_SIZES = {"encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "num_queries": QUERIES}
_DETR: dict[str, Any] = {"d_model": 32, **_HEADS, **_LAYERS, **_SIZES}


def _resnet(*stages: str) -> hf.ResNetConfig:
    return hf.ResNetConfig(**_RESNET, out_features=list(stages or ("stage4",)))


def _swin() -> hf.SwinConfig:
    return hf.SwinConfig(
        embed_dim=8,
        depths=[1, 1, 1, 1],
        num_heads=[1, 1, 1, 1],
        window_size=4,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )


def _detr(kind: str, processor: str, *stages: str, **more: Any) -> tuple[Any, Any]:
    config = getattr(hf, f"{kind}Config")(
        backbone_config=_resnet(*stages), id2label=NAMES, **(_DETR | more)
    )
    return getattr(hf, f"{kind}ForObjectDetection")(config), _images(processor, **_SMALL)


def _dab_detr() -> tuple[Any, Any]:
    return _detr("DabDetr", "ConditionalDetr", hidden_size=32)


def _yolos() -> tuple[Any, Any]:
    config = hf.YolosConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=[96, 160],
        num_detection_tokens=QUERIES,
        use_mid_position_embeddings=False,
        id2label=NAMES,
    )
    return hf.YolosForObjectDetection(config), _images("Yolos", **_SMALL)


def _rt_detr(kind: str) -> tuple[Any, Any]:
    backbone = hf.RTDetrResNetConfig(**_RESNET, out_features=["stage2", "stage3", "stage4"])
    config = getattr(hf, f"{kind}Config")(
        backbone_config=backbone,
        encoder_hidden_dim=16,
        encoder_in_channels=[8, 8, 8],
        decoder_in_channels=[16, 16, 16],
        d_model=16,
        decoder_n_points=2,
        anchor_image_size=None,
        id2label=NAMES,
        **_HEADS,
        **(_LAYERS | _SIZES),
    )
    return getattr(hf, f"{kind}ForObjectDetection")(config), _images("RTDetr", **_SQUARE)


def _lw_detr() -> tuple[Any, Any]:
    backbone = hf.LwDetrViTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=64,
        pretrain_image_size=64,
        out_features=["stage1", "stage2"],
        window_block_indices=[0],
        num_windows=4,
    )
    config = hf.LwDetrConfig(
        backbone_config=backbone,
        d_model=16,
        num_queries=QUERIES,
        group_detr=2,
        projector_scale_factors=[1.0],
        decoder_layers=1,
        decoder_self_attention_heads=2,
        decoder_cross_attention_heads=2,
        decoder_ffn_dim=16,
        id2label=NAMES,
    )
    return hf.LwDetrForObjectDetection(config), _images("DeformableDetr", **_SQUARE)


def _clip_tokenizer() -> hf.CLIPTokenizer:
    words = ["!", *(f"{word}</w>" for word in WORDS), *"abcdefghijklmnopqrstuvwxyz"]
    words += [f"{letter}</w>" for letter in "abcdefghijklmnopqrstuvwxyz"]
    merges = []
    for word in WORDS:
        for end in range(2, len(word)):
            merges.append((word[: end - 1], word[end - 1]))
            words.append(word[:end])
        merges.append((word[:-1], f"{word[-1]}</w>"))
    words += ["<|startoftext|>", "<|endoftext|>"]  # the last: its number is the largest
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys(words))}
    return hf.CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=16)


def _owl(kind: str) -> tuple[Any, Any]:
    tokenizer = _clip_tokenizer()
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    small |= {"intermediate_size": 16}
    text = {"vocab_size": len(tokenizer), "max_position_embeddings": 16, **small}
    text |= {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    vision = {"image_size": 64, "patch_size": 16, **small}
    config = getattr(hf, f"{kind}Config")(text_config=text, vision_config=vision, projection_dim=16)
    images = _images(kind, **_SQUARE)
    processor = getattr(hf, f"{kind}Processor")(images, tokenizer)
    return getattr(hf, f"{kind}ForObjectDetection")(config), processor


def _bert_tokenizer() -> hf.BertTokenizer:
    """With the special tokens at BERT's places, which the model knows by number."""
    vocabulary = {f"[unused{number}]": number for number in range(1100)}
    for word, number in {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102}.items():
        del vocabulary[f"[unused{number}]"]
        vocabulary[word] = number
    for word, number in {".": 1012, "?": 1029, "[MASK]": 103}.items():
        del vocabulary[f"[unused{number}]"]
        vocabulary[word] = number
    for number, word in enumerate((*WORDS, "##s", "sur", "##f"), 1040):
        del vocabulary[f"[unused{number}]"]
        vocabulary[word] = number
    return hf.BertTokenizer(vocab=vocabulary)


def _grounding_dino(kind: str) -> tuple[Any, Any]:
    tokenizer = _bert_tokenizer()
    config = getattr(hf, f"{kind}Config")(
        backbone_config=_resnet("stage2", "stage3", "stage4"),
        text_config=hf.BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
        ),
        max_text_len=32,
        **_DETR,
    )
    images = _images("GroundingDino", **_SMALL)
    processor = hf.GroundingDinoProcessor(images, tokenizer)
    return getattr(hf, f"{kind}ForObjectDetection")(config), processor


def _mask2former() -> tuple[Any, Any]:
    config = hf.Mask2FormerConfig(
        backbone_config=_swin(),
        feature_size=32,
        mask_feature_size=32,
        hidden_dim=32,
        encoder_feedforward_dim=32,
        encoder_layers=1,
        decoder_layers=2,
        num_attention_heads=2,
        dim_feedforward=32,
        num_queries=QUERIES,
        id2label=PANOPTIC_NAMES,
    )
    return hf.Mask2FormerForUniversalSegmentation(config), _images("Mask2Former", **_SMALL)


def _maskformer() -> tuple[Any, Any]:
    config = hf.MaskFormerConfig(
        backbone_config=_swin(),
        decoder_config=hf.DetrConfig(**_DETR),
        fpn_feature_size=32,
        mask_feature_size=32,
        id2label=PANOPTIC_NAMES,
    )
    return hf.MaskFormerForInstanceSegmentation(config), _images("MaskFormer", **_SMALL)


def _oneformer() -> tuple[Any, Any]:
    tokenizer = _clip_tokenizer()
    config = hf.OneFormerConfig(
        backbone_config=_swin(),
        hidden_dim=32,
        conv_dim=32,
        mask_dim=32,
        encoder_feedforward_dim=32,
        encoder_layers=1,
        decoder_layers=3,
        num_attention_heads=2,
        dim_feedforward=32,
        num_queries=QUERIES,
        text_encoder_width=32,
        text_encoder_num_layers=1,
        text_encoder_vocab_size=len(tokenizer),
        task_seq_len=16,
        id2label=PANOPTIC_NAMES,
    )
    images = _images("OneFormer", **_SMALL)
    processor = hf.OneFormerProcessor(images, tokenizer, task_seq_length=16)
    return hf.OneFormerForUniversalSegmentation(config), processor


def _eomt() -> tuple[Any, Any]:
    config = hf.EomtConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_blocks=1,
        num_attention_heads=2,
        image_size=64,
        num_queries=QUERIES,
        num_upscale_blocks=1,
        id2label=PANOPTIC_NAMES,
    )
    size = {"shortest_edge": 64, "longest_edge": 64}
    images = _images("Eomt", size=size, do_pad=True)
    return hf.EomtForUniversalSegmentation(config), images


def _detr_segmentation() -> tuple[Any, Any]:
    stages = ["stage1", "stage2", "stage3", "stage4"]
    heads = {"encoder_attention_heads": 8, "decoder_attention_heads": 8}
    config = hf.DetrConfig(
        backbone_config=_resnet(*stages), id2label=PANOPTIC_NAMES, **(_DETR | heads)
    )
    return hf.DetrForSegmentation(config), _images("Detr", **_SMALL)


def _images(kind: str, **settings: Any) -> Any:
    return getattr(hf, f"{kind}ImageProcessorPil")(**settings)


_CLOSED: dict[str, Callable[[], tuple[Any, Any]]] = {
    "conditional-detr": lambda: _detr("ConditionalDetr", "ConditionalDetr"),
    "d-fine": lambda: _rt_detr("DFine"),
    "dab-detr": _dab_detr,
    "deformable-detr": lambda: _detr(
        "DeformableDetr", "DeformableDetr", "stage2", "stage3", "stage4"
    ),
    "detr": lambda: _detr("Detr", "Detr"),
    "lw-detr": _lw_detr,
    "rt-detr": lambda: _rt_detr("RTDetr"),
    "rt-detr-v2": lambda: _rt_detr("RTDetrV2"),
    "table-transformer": lambda: _detr("TableTransformer", "Detr"),
    "yolos": _yolos,
}
_OPEN: dict[str, Callable[[], tuple[Any, Any]]] = {
    "grounding-dino": lambda: _grounding_dino("GroundingDino"),
    "mm-grounding-dino": lambda: _grounding_dino("MMGroundingDino"),
    "owlv2": lambda: _owl("Owlv2"),
    "owlvit": lambda: _owl("OwlViT"),
}
_PANOPTIC: dict[str, Callable[[], tuple[Any, Any]]] = {
    "detr-panoptic": _detr_segmentation,
    "eomt": _eomt,
    "mask2former": _mask2former,
    "maskformer": _maskformer,
    "oneformer": _oneformer,
}
CLOSED, OPEN, PANOPTIC = (tuple(kinds) for kinds in (_CLOSED, _OPEN, _PANOPTIC))


def build(kind: str, folder: Path) -> Path:
    """The folder, with the model and what it is given pictures by."""
    torch.manual_seed(1)
    model, processor = (_CLOSED | _OPEN | _PANOPTIC)[kind]()
    with torch.no_grad():
        for weights in model.parameters():
            weights.normal_(0, 0.3)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
