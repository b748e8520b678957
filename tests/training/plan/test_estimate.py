"""From a recipe to a verdict; and the published shapes."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    CLIPVisionModel,
)

from locvlm.distributed import partial_state
from locvlm.errors import InputError
from locvlm.models.folders import ModelSettings
from locvlm.runtime.precision import choose_precision
from locvlm.training.adapters import add_adapter, base_model, choose_trained, save_adapter
from locvlm.training.data import batching
from locvlm.training.data.batching import images_per_pass
from locvlm.training.plan import layer, machines
from locvlm.training.plan.configurations import (
    find_configuration,
    published_config,
    published_shapes,
)
from locvlm.training.plan.estimate import Planner, trace_stage
from locvlm.training.plan.memory import estimate_memory, weights_of
from locvlm.training.plan.sequences import fixed_tokens, image_cost, plan_sequences
from locvlm.training.plan.sketch import (
    ParameterCounts,
    build_sketch,
    count_parameters,
    to_fake_tensors,
)
from locvlm.training.plan.tracing import PassCost, adapt_images
from locvlm.training.recipe import LoraSettings, Parts, Recipe, Reinforce, Stage
from locvlm.training.start import load_start
from tests.families.parts import write_parts

STAGE = Stage("adapter+language", 100, images=8, questions={"locpred": 2})


def recipe(model: Any, stage: Stage = STAGE, **settings: Any) -> Recipe:
    settings = {"batch": 1, **settings}
    return Recipe(data=(), out="", stages={"one": stage}, model=str(model), **settings)


@pytest.mark.parametrize("name", published_shapes())
def test_published_shapes_have_the_published_parameters(name: str) -> None:
    entry, config = published_shapes()[name], published_config(name)
    with torch.device("meta"):
        if entry.get("half") == "encoder":
            model: Any = CLIPVisionModel(config)
        elif entry.get("half") == "language":
            model = AutoModelForCausalLM.from_config(config)
        else:
            model = AutoModelForImageTextToText.from_config(config)
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count == entry.get("parameters", count)
    assert count > 0


@pytest.mark.parametrize(
    ("name", "tokens"),
    [
        ("llava-hf/llava-1.5-7b-hf", 576),
        ("Qwen/Qwen3-VL-2B-Instruct", 300),
        ("HuggingFaceTB/SmolVLM2-256M-Video-Instruct", 13 * 66),
    ],
)
def test_tokens_of_a_picture(name: str, tokens: int) -> None:
    assert image_cost(published_config(name)).tokens == tokens


@pytest.mark.parametrize(
    ("form", "tokens", "patches"),
    [("rows", 16, 16), ("breaks", 16 + 3, 16), ("twin", 16 + 1 + 16, 32)],
)
def test_tokens_of_a_picture_in_each_form(
    small_base: Path, form: Any, tokens: int, patches: int
) -> None:
    planned, config = recipe(small_base, image_tokens=form), AutoConfig.from_pretrained(small_base)
    reads = trace_stage(config, planned, STAGE).reads
    assert reads.image.tokens == tokens
    model = build_sketch(config, planned, STAGE)
    with to_fake_tensors(model):
        for cached in (True, False):
            adapted = adapt_images(base_model(model), reads, cached=cached)
            assert adapted.numel() == patches * config.text_config.hidden_size
    naming = msgspec.structs.replace(STAGE, trains="naming", questions={})
    assert trace_stage(config, planned, naming).reads.image.tokens == 16


def test_a_form_of_its_own() -> None:
    config = published_config("Qwen/Qwen3-VL-2B-Instruct")
    with pytest.raises(InputError, match="image_tokens: twin: a qwen3_vl has a form of its own"):
        plan_sequences(config, recipe("Qwen/Qwen3-VL-2B-Instruct", image_tokens="twin"), STAGE)


def test_an_unknown_family() -> None:
    config = published_config("huggyllama/llama-7b")
    config.vision_config = published_config("openai/clip-vit-large-patch14")
    with pytest.raises(InputError, match="a llama is not known here"):
        image_cost(config)


def test_two_parts_become_a_llava() -> None:
    parts = Parts("openai/clip-vit-large-patch14", "huggyllama/llama-7b", "linear")
    config, origin = find_configuration(replace_model(recipe("x"), parts))
    assert (config.image_seq_length, config.projector_hidden_act) == (256, "linear")
    assert config.text_config.vocab_size == 32001
    assert "published shape of huggyllama/llama-7b" in origin


def replace_model(of: Recipe, parts: Parts) -> Recipe:
    return Recipe(data=of.data, out=of.out, stages=of.stages, parts=parts)


@pytest.mark.parametrize(("layout", "rows", "length"), [("packed", 1, 366), ("padded", 2, 315)])
def test_layouts(layout: Any, rows: int, length: int) -> None:
    config = published_config("llava-hf/llava-1.5-7b-hf")
    config.image_seq_length = 256
    found = plan_sequences(config, recipe("x", layout=layout), STAGE)
    assert (found.rows, found.length) == (rows, length)


COUNTS = ParameterCounts({"language": 1000, "encoder": 500}, 1000, 1000, 100, 300)
ONE = PassCost(kept=10_000, peak=20_000, copies=2000, forward_flops=1, flops=3)


def test_one_device_keeps_all() -> None:
    found = estimate_memory(COUNTS, ONE, devices=1, distributed="fsdp2", reserve=7)
    assert (found.weights, found.gradients, found.optimizer) == (5000, 4000, 8000)
    ddp = estimate_memory(COUNTS, ONE, devices=1, distributed="ddp", reserve=7)
    assert (ddp.copies, ddp.buckets, ddp.activations) == (2000, 0, 18_000)
    assert ddp.total == 5000 + 4000 + 8000 + 2000 + 18_000 + 7


def test_ddp_repeats_and_the_others_share() -> None:
    ddp = estimate_memory(COUNTS, ONE, devices=4, distributed="ddp", reserve=0)
    assert (ddp.weights, ddp.buckets) == (5000, 4000)
    for kind in ("fsdp2", "zero3"):
        shared = estimate_memory(COUNTS, ONE, devices=4, distributed=kind, reserve=0)
        assert (shared.weights, shared.gradients, shared.optimizer) == (1250, 1000, 2000)
        assert shared.copies == 2 * (300 + 2 * 100) + 4 * 100
        assert shared.buckets == 0
    single = estimate_memory(COUNTS, ONE, devices=4, distributed="fsdp2", reserve=0, mixed=False)
    assert single.copies == 4 * (300 + 2 * 100) + 4 * 100


def test_verdict_time_and_cost(small_base: Path) -> None:
    planner = Planner(recipe(small_base))
    machine = machines.Machine("m", 1, 1e12, 1e9, 0.5, 3.0, reserve=0)
    found = planner.estimate("one", machine)
    assert found.fits
    assert found.remedy == ""
    assert found.step_seconds == pytest.approx(8 * found.trace.cost.flops / 5e8)
    assert found.hours == pytest.approx(100 * found.step_seconds / 3600)
    assert found.cost == pytest.approx(3 * found.hours)
    four = planner.estimate("one", replace(machine, devices=4))
    assert four.step_seconds == pytest.approx(found.step_seconds / 4)


@pytest.mark.parametrize("settings", [{"trains": "naming"}, {"reinforce": Reinforce()}])
def test_what_takes_one_process_shares_nothing_out(
    small_base: Path, settings: dict[str, Any]
) -> None:
    stage = msgspec.structs.replace(STAGE, trains="adapter", images=3)
    one = recipe(small_base, msgspec.structs.replace(stage, **settings))
    machine = machines.Machine("m", 1, 1e12, 1e9, 0.5, 3.0, reserve=0)
    four = replace(machine, devices=4)
    found = [Planner(one).estimate("one", kind) for kind in (machine, four)]
    assert found[0].step_seconds == found[1].step_seconds > 0
    assert not any(estimate.refusal for estimate in found)
    shared = Planner(recipe(small_base, stage)).estimate("one", four)
    assert (shared.fits, shared.runs) == (True, False)


def test_the_updates_that_a_run_goes_on_with(small_base: Path, tmp_path: Path) -> None:
    stage = msgspec.structs.replace(STAGE, trains="lora")
    wanted = LoraSettings(rank=3, alpha=3, targets=("up_proj",))
    tuned = add_adapter(load_start(recipe(small_base)).model, wanted)
    save_adapter(tuned, tmp_path, lora=True)
    ModelSettings(base=str(small_base)).write(tmp_path)
    machine = machines.Machine("m", 1, 1e12, 1e9, 0.5, 3.0, reserve=0)
    there = Planner(recipe(tmp_path, stage)).estimate("one", machine)
    named = Planner(recipe(small_base, stage, lora=wanted)).estimate("one", machine)
    assert there.trace.counts == named.trace.counts
    assert there.trace.counts.trained == sum(
        parameter.numel() for name, parameter in tuned.named_parameters() if "lora_" in name
    )


def test_a_model_of_two_parts() -> None:
    stage = msgspec.structs.replace(STAGE, trains="adapter")
    parts = Parts("openai/clip-vit-large-patch14", "huggyllama/llama-7b", "linear")
    planner = Planner(replace_model(recipe("x", stage), parts))
    machine = machines.get_machine("1x4090")
    counts = planner.estimate("one", machine).trace.counts
    assert counts.parts["encoder"] > 3e8
    assert counts.trained == 1024 * 4096 + 4096  # one layer, as in the paper


def test_parts_are_planned_as_they_are_put_together(tmp_path: Path) -> None:
    """To the parameter, in each part, and to the byte."""
    encoder, language = write_parts(tmp_path)
    for adapter in ("linear", "mlp"):
        for trains in ("adapter", "adapter+language"):
            stage = msgspec.structs.replace(STAGE, trains=trains)
            parts = Parts(str(encoder), str(language), adapter)
            of = msgspec.structs.replace(replace_model(recipe("x", stage), parts), precision="bf16")
            machine = machines.Machine("m", 1, 1e12, 1e9, 0.5, 3.0, reserve=0)
            planned = Planner(of).estimate("one", machine).trace.counts
            start = load_start(of)
            model = start.model if of.trains_all else add_adapter(start.model, LoraSettings())
            choose_trained(model, stage.parts)
            assert planned == count_parameters(model)


def test_what_would_make_it_fit(small_base: Path) -> None:
    planner = Planner(recipe(small_base))
    machine = machines.Machine("m", 1, 1e12, 1e9, 0.5, 3.0, reserve=0)
    need = planner.estimate("one", machine).memory.total
    tight = planner.estimate("one", replace(machine, memory=need - 1))
    assert not tight.fits
    assert tight.remedy.startswith("gradient_checkpointing: true")
    hopeless = planner.estimate("one", replace(machine, memory=1))
    assert (hopeless.fits, hopeless.remedy) == (False, "")


def test_what_a_recipe_has_is_not_advised(small_base: Path) -> None:
    saving = msgspec.structs.replace(recipe(small_base), gradient_checkpointing=True, batch=2)
    planner = Planner(saving)
    machine = machines.Machine("m", 1, 1e12, 1e9, 0.5, 3.0, reserve=0)
    need = planner.estimate("one", machine).memory.total
    tight = planner.estimate("one", replace(machine, memory=need - 1))
    assert tight.remedy == "batch: 1"


@pytest.mark.parametrize("kind", ["ddp", "fsdp2"])
@pytest.mark.parametrize("memory", [1, 3, 24, 80])
def test_pictures_per_pass_are_those_of_the_run(
    kind: Any, memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU of so many GiB that holds the weights, or none of them yet."""
    stage = msgspec.structs.replace(STAGE, trains="adapter", images=32)
    one = recipe("HuggingFaceTB/SmolVLM2-256M-Video-Instruct", stage, batch="auto")
    one = msgspec.structs.replace(one, distributed=kind)
    machine = machines.Machine("m", 2, memory * 2.0**30, 1e9, 0.5, 3.0, reserve=2.0**28)
    planner = Planner(one)
    planned = planner._resolve_recipe(planner.recipe, stage, machine)
    free = machine.memory - machine.reserve
    if kind == "ddp":
        free -= weights_of(planner._counts(planned, stage))
    partial_state()  # outlives the test, so it must not see the GPU that is pretended
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (free, machine.memory))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 0)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: 0)
    monkeypatch.setattr(batching, "partial_state", lambda: SimpleNamespace(num_processes=2))
    model = SimpleNamespace(config=planner.config)
    assert planned.batch == images_per_pass(one, stage, model, 0)
    assert planned.batch in ({1} if memory == 1 else {1, 2, 4, 8, 16})
    if memory == 80:
        assert planned.batch > 1


def test_tokens_that_are_alike_in_all_pictures() -> None:
    assert fixed_tokens(published_config("llava-hf/llava-1.5-7b-hf")) == 576
    assert fixed_tokens(published_config("Qwen/Qwen3-VL-2B-Instruct")) == 0
    assert fixed_tokens(published_config("HuggingFaceTB/SmolVLM2-256M-Video-Instruct")) == 0


def test_many_pictures_per_pass_take_more_memory_and_as_much_work(small_base: Path) -> None:
    planner = Planner(recipe(small_base, batch="auto"))
    gpu = machines.Machine("m", 1, 1e12, 1e9, 0.5, 3.0, reserve=0)
    many, cpu = (planner.estimate("one", m) for m in (gpu, replace(gpu, gpus=False)))
    assert (many.trace.reads.images, cpu.trace.reads.images) == (8, 1)
    assert many.memory.activations > 4 * cpu.memory.activations
    assert many.step_seconds == pytest.approx(cpu.step_seconds, rel=0.01)
    assert planner.estimate("one", replace(gpu, memory=1)).trace.reads.images == 1


def test_an_unknown_machine() -> None:
    with pytest.raises(InputError, match="8xH100"):
        machines.get_machine("toaster")


def test_this_computer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "SECONDS", 0.05)
    found = machines.get_machine("cpu")
    assert found.flops > 1e8
    assert found.memory > 2**28
    assert found.precision == choose_precision().name
    assert machines.get_machine("cpu", "fp32").precision == "fp32"


def test_this_computer_runs_a_layer_of_the_model(
    small_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (machines, layer):
        monkeypatch.setattr(module, "SECONDS", 0.05)
    planner = Planner(recipe(small_base))
    found = planner.estimate("one", machines.get_machine("cpu"))
    assert 0 < found.machine.utilization < 1  # a small model reaches little
    speed = found.machine.flops * found.machine.utilization
    assert found.step_seconds == pytest.approx(8 * found.trace.cost.flops / speed)
    given = planner.estimate("one", replace(machines.get_machine("cpu"), utilization=0.9))
    assert given.machine.utilization == 0.9
    naming = msgspec.structs.replace(STAGE, trains="naming", questions={})
    found = Planner(recipe(small_base, naming)).estimate("one", machines.get_machine("cpu"))
    assert found.machine.utilization == 0.5


@pytest.mark.parametrize("layout", ["packed", "padded"])
@pytest.mark.parametrize("precision", ["bf16", "fp32"])
@pytest.mark.parametrize("trains", ["adapter", "adapter+lora", "adapter+language"])
def test_a_layer_of_every_kind_can_be_run(
    small_base: Path, monkeypatch: pytest.MonkeyPatch, layout: Any, precision: Any, trains: str
) -> None:
    monkeypatch.setattr(layer, "SECONDS", 0.01)
    stage = msgspec.structs.replace(STAGE, trains=trains)
    of = recipe(small_base, stage, layout=layout, precision=precision)
    config, _ = find_configuration(of)
    speed = layer.measure_layer_flops(
        build_sketch(config, of, stage), plan_sequences(config, of, stage)
    )
    assert speed > 0


def test_gpus_in_float32_are_slower_and_hold_more(small_base: Path) -> None:
    one, single = (machines.get_machine("1x4090", name) for name in ("auto", "fp32"))
    assert (one.precision, single.precision) == ("bf16", "fp32")
    assert single.flops < one.flops
    planner = Planner(recipe(small_base))
    found = [planner.estimate("one", machine) for machine in (one, single)]
    assert found[1].memory.total > found[0].memory.total
    assert found[1].memory.copies == 0  # nothing is cast
    assert found[1].step_seconds > found[0].step_seconds
