"""What a processor makes of a question: the chat's parts, and the tokens of a picture."""

from copy import copy, deepcopy

import pytest
import transformers

from locvlm.errors import InputError
from locvlm.models.chat_template import Chat, chat_of, given_prefix, image_tokens
from locvlm.models.load import Loaded
from tests import families

LLAVA_1_5 = (
    "{% for message in messages %}{{ message['role'].upper() + ': ' }}"
    "{% for c in message['content'] | selectattr('type', 'equalto', 'image') %}"
    "{{ '<image>\n' }}{% endfor %}"
    "{% for c in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{{ c['text'] + ' ' }}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)


def test_a_template_without_an_end_gets_the_tokenizers(small_model: Loaded) -> None:
    """LLaVA-1.5's: an answer that never ends would teach the model to go on for ever."""
    processor = deepcopy(small_model.processor)
    processor.chat_template = LLAVA_1_5
    chat = chat_of(processor)
    assert chat == Chat("USER: <image>\n", " ASSISTANT:", " ", "<|im_end|>", special_tokens=True)


def test_a_template_for_text_alone_is_named(small_model: Loaded) -> None:
    processor = deepcopy(small_model.processor)
    processor.chat_template = "{% for m in messages %}{{ 'Q: ' + m['content'] }}{% endfor %}"
    with pytest.raises(InputError, match="LlavaProcessor fails on a question about a picture") as e:
        chat_of(processor)
    assert "\n" not in str(e.value)


def test_patches_are_counted_in_what_the_model_sees(small_model: Loaded) -> None:
    processor = deepcopy(small_model.processor)
    assert image_tokens(processor) == 16
    processor.vision_feature_select_strategy = "full"
    assert image_tokens(processor) == 17
    processor.image_processor = transformers.CLIPImageProcessorPil(
        size={"shortest_edge": 70}, crop_size={"height": 42, "width": 56}
    )
    assert image_tokens(processor) == 3 * 4 + 1


def test_a_number_of_tokens_that_varies_is_refused(small_model: Loaded) -> None:
    processor = deepcopy(small_model.processor)
    processor.image_processor = transformers.CLIPImageProcessorPil(do_center_crop=False)
    with pytest.raises(InputError, match="CLIPImageProcessorPil gives pictures of different"):
        image_tokens(processor)


TEXT_ONLY = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.mark.parametrize("name", ["llava", "qwen2_5_vl", "internvl"])
def test_a_template_that_writes_no_image_is_refused(name: str) -> None:
    processor = copy(families.build(name)[1])
    processor.chat_template = TEXT_ONLY
    with pytest.raises(InputError, match="writes nothing for an image") as caught:
        chat_of(processor)
    assert "\n" not in str(caught.value)


def test_a_tokenizer_without_the_image_s_token_is_refused() -> None:
    processor = copy(families.build("llava")[1])
    processor.image_token = "<picture>"
    with pytest.raises(InputError, match="no token '<picture>'"):
        chat_of(processor)


@pytest.mark.parametrize("kind", ["Kosmos2Processor", "IdeficsProcessor", "GotOcr2Processor"])
def test_processors_without_a_template_that_write_the_image_themselves(
    small_model: Loaded, kind: str
) -> None:
    processor = copy(small_model.processor)
    processor.__class__ = type(kind, (type(processor),), {})
    chat = chat_of(processor)
    text, added, _ = given_prefix(processor, chat)
    assert chat.before.endswith(text)
    assert added == ""  # nothing that would have to be taken off again
    assert chat.between.strip()
    assert chat.after


def test_a_model_that_reads_each_question_beside_the_image_is_refused(small_model: Loaded) -> None:
    processor = copy(small_model.processor)
    processor.__class__ = type("InstructBlipProcessor", (type(processor),), {})
    with pytest.raises(InputError, match="Q-Former reads each question") as error:
        chat_of(processor)
    assert "\n" not in str(error.value)
