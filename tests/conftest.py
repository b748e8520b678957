"""A tiny real LLaVA with random weights, and when slow tests are left out."""

import copy
import gc
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Before PyTorch is imported, and for the processes that tests start: the models are small, threads
# would only wait for each other
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    Dinov2Config,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    ProcessorMixin,
)

from locvlm import coordinates
from locvlm.media.clips import Clip
from locvlm.models import tiny
from locvlm.models.load import Loaded
from locvlm.models.video_llava.model import PooledVideoLlavaForConditionalGeneration, video_config
from locvlm.models.video_llava.processor import PooledVideoLlavaProcessor
from locvlm.training.engine import plot
from tests import families

# A busy machine is no failure
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("hurried", settings.get_profile("patient"), max_examples=40)
settings.load_profile("patient")

torch.set_num_threads(1)

BEGAN = "LOCVLM_TESTS_BEGAN"  # when the tests began, for the workers of xdist
FRAMES = 3  # of the clips that the small model reads
GIBIBYTES = 2  # that each of these may take, with the processes that its tests start
WORKERS = 8  # at most: more would wait for the longest test
PLOT = plot.plot_losses
# In one worker: its runs are made once for all
TOGETHER = ("tests/training/test_runs_in_processes.py",)

SIDE = 56  # pixels; 4 x 4 patches
SPOKEN = [
    "Where is the object described dog located in image in terms of (x1,y1,x2,y2) bbox?",
    "Describe the object located at (4,52,13,63)? There is a cat. It is located at (0,1,2,3)",
    "There is no such object in the image. Which side of person is the traffic light located?",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--slow-until",
        type=float,
        metavar="MINUTES",
        help="skip tests marked slow, which come last, once so many minutes are over; and try "
        "fewer examples",
    )


def pytest_configure(config: pytest.Config) -> None:
    os.environ.setdefault(BEGAN, str(time.time()))
    if config.getoption("--slow-until") is not None:
        settings.load_profile("hurried")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is collected stays to the end: a garbage collection, which every training asks for,
    need not go over ten thousand tests and all of PyTorch's modules again.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


def pytest_runtest_setup(item: pytest.Item) -> None:
    most = item.config.getoption("--slow-until")
    if most is None or item.get_closest_marker("slow") is None:
        return
    if time.time() - float(os.environ[BEGAN]) > most * 60:
        where = item.nodeid.partition("::")[0]
        pytest.skip(f"{where}: slow, and {most:g} minutes are over; make test-all runs it")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """As many as the machine has cores and memory for."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(cores or 1, int(memory / GIBIBYTES), WORKERS))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Every test goes to whichever worker is free, in order, but those of `TOGETHER`."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            module = nodeid.partition("::")[0]
            return module if module in TOGETHER else nodeid

    config.option.loadscopereorder = False  # the slow ones stay last
    return Scheduling(config, log)


@pytest.fixture(scope="session", autouse=True)
def plain_curves() -> Iterator[None]:
    """A white image stands for the curves of a run, which take longer than its few steps."""

    def write_white(out: Path, stages: list[str]) -> Path:
        Image.new("RGB", (32, 24), "white").save(out / "loss.png")
        return out / "loss.png"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plot, "plot_losses", write_white)
        yield


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The curves are drawn, for tests that are about them."""
    monkeypatch.setattr(plot, "plot_losses", PLOT)


@pytest.fixture(scope="session")
def small_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the small model and its processor, as `save_pretrained` leaves them."""
    folder = tmp_path_factory.mktemp("small-base")
    processor = _processor()
    _model(processor).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def small_model() -> Loaded:
    """The small model in float32, its processor and IVB with 56 bins. Do not change it."""
    processor = _processor()
    return Loaded(_model(processor), processor, coordinates.get("ivb", bins=SIDE), "small")


@pytest.fixture(params=families.names())
def family(request: pytest.FixtureRequest) -> tuple[str, PreTrainedModel, ProcessorMixin]:
    """Each model family in turn: its name, a tiny model, its processor. Do not change them."""
    return request.param, *families.build(request.param)


def _processor() -> LlavaProcessor:
    processor = tiny.make_processor(_tokenizer())
    processor.image_processor.size = {"height": SIDE, "width": SIDE}
    return processor


def _tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE in which every digit is a token, like SmolLM2's."""
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(SPOKEN, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=special[1], eos_token=special[2], unk_token=special[0]
    )


def _model(processor: LlavaProcessor) -> LlavaForConditionalGeneration:
    tokenizer = processor.tokenizer
    wide = {"initializer_range": 0.3}  # so that picture and question change the answer
    vision = Dinov2Config(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=SIDE, **wide
    )
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
        **wide,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        vision_feature_layer=[0, 2],
        vision_feature_select_strategy="default",
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=(SIDE // 14) ** 2,
        tie_word_embeddings=True,
    )
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(config)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.eos_token_id
    return model.eval()


@pytest.fixture
def lock(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Makes a folder one that may not be read; permissions would not keep root from it."""

    def lock(folder: Path) -> None:
        def closed(call: Callable[..., Any], inside_only: bool) -> Callable[..., Any]:
            def guarded(path: Any = ".", *args: Any, **more: Any) -> Any:
                place = Path(path) if isinstance(path, str | Path) else Path()
                if folder in place.parents or (place == folder and not inside_only):
                    raise PermissionError(13, "Permission denied", str(path))
                return call(path, *args, **more)

            return guarded

        monkeypatch.setattr(os, "stat", closed(os.stat, True))
        for name in ("listdir", "scandir"):
            monkeypatch.setattr(os, name, closed(getattr(os, name), False))

    return lock


@pytest.fixture
def video_model(small_model: Loaded) -> Loaded:
    """In float32, for clips of three frames."""
    config = video_config(small_model.model.config)
    model = PooledVideoLlavaForConditionalGeneration(config)
    model.load_state_dict(small_model.model.state_dict())
    model.generation_config = copy.deepcopy(small_model.model.generation_config)
    processor = PooledVideoLlavaProcessor.of(small_model.processor, FRAMES)
    return Loaded(model.eval(), processor, small_model.coordinates, "small-video")


@pytest.fixture
def clip() -> Clip:
    """Noise that changes."""
    rng = np.random.default_rng(0)
    frames = [Image.fromarray(rng.integers(0, 256, (60, 80, 3), np.uint8)) for _ in range(FRAMES)]
    return Clip(tuple(frames), tuple(range(FRAMES)))


@pytest.fixture
def gif(clip: Clip, tmp_path: Path) -> Path:
    """The same as a file."""
    path = tmp_path / "clip.gif"
    first, *others = clip.frames
    first.save(path, save_all=True, append_images=others, duration=200)
    return path
