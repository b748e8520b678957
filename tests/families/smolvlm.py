"""SmolVLM2: Idefics3's tiles in classes of its own. Its processor needs the package num2words."""

from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration, SmolVLMProcessor
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

from locvlm.compat.image_processors import stills_only
from tests.families.idefics3 import CHAT, SIDE, TOKENS, settings, tokenizer
from tests.families.spread import spread


def build() -> tuple[SmolVLMForConditionalGeneration, SmolVLMProcessor]:
    pictures = SmolVLMImageProcessorPil(
        size={"longest_edge": 2 * SIDE}, max_image_size={"longest_edge": SIDE}
    )
    processor = stills_only(SmolVLMProcessor)(
        pictures, tokenizer(), None, image_seq_len=TOKENS, chat_template=CHAT
    )
    config = SmolVLMConfig(**settings(processor))
    return spread(SmolVLMForConditionalGeneration(config), processor.tokenizer), processor
