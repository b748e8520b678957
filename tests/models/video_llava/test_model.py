"""It reads clips, and else is the LLaVA that it is made of."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor, Trainer, TrainingArguments

from locvlm.media.clips import Clip
from locvlm.models.load import Loaded
from locvlm.models.patches import patch_features
from locvlm.models.video_llava.model import PooledVideoLlavaForConditionalGeneration
from locvlm.models.video_llava.pooling import pool
from locvlm.models.video_llava.processor import PooledVideoLlavaProcessor

TEXT = "<|im_start|>user\n<image>\nWhere is the dog?<|im_end|>\n<|im_start|>assistant\n"


def tokens(loaded: Loaded, **seen: object) -> torch.Tensor:
    inputs = loaded.processor(text=TEXT, return_tensors="pt", **seen)
    written: torch.Tensor = loaded.model.generate(**inputs, max_new_tokens=8, do_sample=False)
    return written[0, inputs["input_ids"].shape[1] :]


def test_pictures_are_read_as_before(video_model: Loaded, small_model: Loaded, clip: Clip) -> None:
    picture = clip.frames[0]
    assert torch.equal(tokens(video_model, images=picture), tokens(small_model, images=picture))


def test_a_clip_is_a_token_per_frame_and_per_patch(video_model: Loaded, clip: Clip) -> None:
    inputs = video_model.processor(videos=[clip.frames], text=TEXT, return_tensors="pt")
    assert inputs["pixel_values"].shape == (1, 3, 3, 56, 56)
    image = video_model.model.config.image_token_id
    assert int((inputs["input_ids"] == image).sum()) == 3 + 16
    inner = video_model.model.model
    with torch.inference_mode():
        seen = video_model.model.get_image_features(inputs["pixel_values"]).pooler_output
        each = patch_features(inner, inputs["pixel_values"][0])
        wanted = inner.multi_modal_projector(pool(each[None]))
    torch.testing.assert_close(torch.stack(list(seen)), wanted)


def test_the_order_of_frames_is_seen(video_model: Loaded, clip: Clip) -> None:
    there = video_model.processor(videos=[clip.frames], text=TEXT, return_tensors="pt")
    back = video_model.processor(videos=[clip.frames[::-1]], text=TEXT, return_tensors="pt")
    with torch.inference_mode():
        ours, theirs = (video_model.model(**inputs).logits[0, -1] for inputs in (there, back))
    assert not torch.allclose(ours, theirs)


def test_several_clips_are_read_as_each_alone(video_model: Loaded, clip: Clip) -> None:
    clips = [clip.frames, clip.frames[::-1]]
    inputs = video_model.processor(videos=clips, text=[TEXT, TEXT], return_tensors="pt")
    with torch.inference_mode():
        both = video_model.model(**inputs).logits
        for row, frames in zip(both, clips, strict=True):
            one = video_model.processor(videos=[frames], text=TEXT, return_tensors="pt")
            alone = video_model.model(**one).logits[0]
            # processors add up in another order, which of large logits may show in the fifth digit
            torch.testing.assert_close(row, alone, rtol=1e-4, atol=1e-4)


def test_saved_and_loaded_it_says_the_same(video_model: Loaded, clip: Clip, tmp_path: Path) -> None:
    before = tokens(video_model, videos=[clip.frames])
    video_model.model.save_pretrained(tmp_path)
    video_model.processor.save_pretrained(tmp_path)
    model, loading = AutoModelForImageTextToText.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(loading.values())
    processor = AutoProcessor.from_pretrained(tmp_path, backend="pil")
    assert isinstance(model, PooledVideoLlavaForConditionalGeneration)
    assert isinstance(processor, PooledVideoLlavaProcessor)
    assert processor.num_frames == 3
    again = Loaded(model.eval(), processor, video_model.coordinates, "again")
    assert torch.equal(tokens(again, videos=[clip.frames]), before)


def test_transformers_trainer_trains_it(video_model: Loaded, clip: Clip, tmp_path: Path) -> None:
    inputs = video_model.processor(videos=[clip.frames], text=TEXT, return_tensors="pt")
    row = {**inputs, "labels": inputs["input_ids"].clone()}
    settings = TrainingArguments(
        str(tmp_path), max_steps=4, learning_rate=1e-2, logging_steps=1, use_cpu=True,
        report_to="none", disable_tqdm=True, save_strategy="no", remove_unused_columns=False,
    )  # fmt: skip
    trainer = Trainer(
        video_model.model, settings, train_dataset=[row], data_collator=lambda rows: rows[0]
    )
    trainer.train()
    seen = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    assert seen[-1] < seen[0]


@pytest.mark.parametrize("text", ["no clip", "<image><image>", ["<image>", ""]])
def test_a_clip_for_each_token(video_model: Loaded, clip: Clip, text: str | list[str]) -> None:
    ask = video_model.processor
    if text == ["<image>", ""]:
        assert len(ask(videos=[clip.frames], text=text)["input_ids"]) == 2
        return
    with pytest.raises(ValueError, match="one <image> for each clip"):
        ask(videos=[clip.frames], text=text)


def test_an_unknown_argument_is_refused(video_model: Loaded, clip: Clip) -> None:
    with pytest.raises(ValueError, match="size: no argument for clips"):
        video_model.processor(videos=[clip.frames], text="<image>", size=9)


def test_pictures_and_clips_at_once_are_refused(video_model: Loaded, clip: Clip) -> None:
    with pytest.raises(ValueError, match="not both"):
        video_model.processor(images=clip.frames[0], videos=[clip.frames], text="<image><image>")
