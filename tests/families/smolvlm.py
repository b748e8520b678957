"""SmolVLM2: Idefics3's tiles in classes of its own. Its processor needs the package num2words."""

from types import SimpleNamespace

from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration, SmolVLMProcessor
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

from tests.families.idefics3 import CHAT, SIDE, TOKENS, settings, tokenizer
from tests.families.spread import spread
from tests.families.stills import stills_only


def build() -> tuple[SmolVLMForConditionalGeneration, SmolVLMProcessor]:
    pictures = SmolVLMImageProcessorPil(
        size={"longest_edge": 2 * SIDE}, max_image_size={"longest_edge": SIDE}
    )
    # Stands for the reader of videos, which the processor asks for its speed
    videos = SimpleNamespace(num_frames=None, fps=None)
    processor = stills_only(SmolVLMProcessor)(
        pictures, tokenizer(), None, image_seq_len=TOKENS, chat_template=CHAT
    )
    processor.video_processor = videos
    config = SmolVLMConfig(**settings(processor))
    return spread(SmolVLMForConditionalGeneration(config), processor.tokenizer), processor
