"""`locvlm eval`: a model's answers, scores and report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import arg

from locvlm.commands.arguments import (
    Number,
    OptionalFolder,
    OptionalModel,
    OptionalNumber,
    OptionalTask,
    Pixels,
    SpokenFormat,
    Temperature,
)
from locvlm.commands.evaluation import TaskFiles, print_scores, print_tasks
from locvlm.commands.model_options import ModelOptions
from locvlm.commands.next_step import format_command, print_next
from locvlm.commands.resuming import resumable
from locvlm.errors import InputError
from locvlm.shown.terminal import say

if TYPE_CHECKING:
    from locvlm.evaluation.task import Sources


@resumable()
def evaluate(
    *,
    list: bool = False,
    model: OptionalModel = None,
    format: SpokenFormat = None,
    min_pixels: Pixels = None,
    max_pixels: Pixels = None,
    task: OptionalTask = None,
    suite: Annotated[str | None, arg(metavar="NAME|FILE")] = None,
    data: OptionalFolder = None,
    images: OptionalFolder = None,
    videos: OptionalFolder = None,
    out: OptionalFolder = None,
    answer: Literal["generate", "choice"] = "generate",
    min_objects: OptionalNumber = None,
    limit: OptionalNumber = None,
    seed: Number = 0,
    temperature: Temperature = 0.0,
    samples: Annotated[int, arg(metavar="N")] = 1,
    ask_unseen: bool = False,
    json: bool = False,
    files: Annotated[TaskFiles, arg(name="")],
) -> None:
    """Ask a model a task's questions and score the answers; goes on where it was stopped.

    Args:
        list: print the tasks: size, license, where to get them, and the files that each takes.
        model: a shipped model or a folder.
        task: as `--list` has them.
        suite: many tasks in one go instead, such as paper: all whose files are below --data; or
            those that fit --annotations and --images, such as location. What cannot be run is named
            with the reason.
        data: folder of the suite's data; docs/evaluate/evaluation.md says where each file belongs.
        images: folder of the pictures; boxes in annotations are pixels of them. May be left out
            with all files where `--list` names a copy on the hub.
        videos: folder of the clips instead, for tasks about such; MP4, WebM, MKV, AVI, GIF, …
        out: folder of predictions.jsonl, scores.json and report.md.
        answer: freely, or the likeliest of the task's choices (yes or no, left or right, …), which
            takes one pass instead of one per token.
        min_objects: coco-spatial: clear-sided objects that a picture must have (3 if not given).
        limit: pictures or clips to ask about, a sample by --seed in which each category has its
            share; a run can go on with more. All if not given.
        seed: of the choice of questions, and of what is drawn at a temperature.
        samples: answers drawn to each question; scores are their means, with the spread.
        ask_unseen: ask also about what lies outside of what the model sees, if its processor crops;
            such questions are skipped and counted otherwise.
        json: print scores.json instead of a table.
    """
    from locvlm.evaluation import tasks
    from locvlm.evaluation.hub_copies import COPIES
    from locvlm.evaluation.samples import check_samples
    from locvlm.evaluation.sources import check_sources

    if list:
        print_tasks(json=json)
        return
    check_samples(samples, answer, drawn=temperature != 0)
    model_options = ModelOptions(format, min_pixels, max_pixels, temperature, seed)
    if suite is not None:
        if any((task, videos, files.option, files.several, min_objects, ask_unseen, json)):
            raise InputError("--suite names tasks and options; leave their flags out")
        if answer != "generate":
            raise InputError("--suite asks freely, for not all of its tasks have choices")
        root = _suite_data(data, images, files)
        if model is None or out is None:
            raise InputError("give --model, --data and --out with --suite")
        _run_suite(suite, model, model_options, root, out, limit, samples)
        return
    clips = task is not None and tasks.get(task).card.clips
    needed = files.paths or clips or task not in COPIES
    if (videos if clips else images) is None and needed and (clips or not files.tell_images):
        folder = "--videos" if clips else "--images"
        raise InputError(f"give --model, --task, {folder} and --out; --list shows the tasks")
    if model is None or task is None or out is None:
        raise InputError("give --model, --task and --out; --list shows the tasks")
    files = files.for_task(task)
    options = files.options(min_objects)
    kind = tasks.get(task)
    tasks.resolve_options(kind, options)  # a typo is told before anything is loaded
    sources = files.sources(images, videos)
    check_sources(kind, sources)
    from locvlm.distributed import current_process
    from locvlm.evaluation.outputs import check_run_folder, reads_of
    from locvlm.evaluation.runner import evaluate as run

    check_run_folder(out, reads_of(sources, model))
    result = run(
        model_options.load(model),
        task,
        sources,
        out,
        method=answer,
        limit=limit,
        seed=seed,
        samples=samples,
        ask_unseen=ask_unseen,
        **options,
    )
    if current_process().rank == 0:
        print_scores(result, out, json=json)
        if not json and "scores" in result:
            _print_prove(out, images, is_base=result.get("learned") is None)


def _suite_data(data: Path | None, images: Path | None, files: TaskFiles) -> Path | Sources:
    """Where the files of a suite are. Raises InputError where that is not said, or said twice."""
    if data is not None:
        if images is not None or files != TaskFiles():
            raise InputError("--suite finds its files below --data; leave their flags out")
        return data
    told = images is not None or files.tell_images
    if files.annotations is None or not told or set(files.paths) != {"annotations"}:
        raise InputError(
            "say what --suite is about: --data FOLDER, or --annotations FILE and --images FOLDER"
        )
    return files.sources(images, None)


def _run_suite(
    name: str,
    model: str,
    model_options: ModelOptions,
    data: Path | Sources,
    out: Path,
    limit: int | None,
    samples: int,
) -> None:
    """Every task of a suite that is on disk."""
    from locvlm.evaluation.suites.suite import read_suite
    from locvlm.evaluation.task import Sources

    entries = read_suite(name)
    from locvlm.distributed import current_process
    from locvlm.evaluation.outputs import claim_suite_folder
    from locvlm.evaluation.suites.run import run_suite

    if current_process().rank == 0:
        claim_suite_folder(out, data, model, name)
    predictor, seed = model_options.load(model), model_options.seed
    done = run_suite(predictor, entries, data, out, limit=limit, seed=seed, samples=samples)
    if current_process().rank == 0:
        for entry, reason in done.absent.items():
            say(f"not run, {entry}: {reason}")
        say(done.page)
        _print_prove(out, data.images if isinstance(data, Sources) else None)


def _print_prove(out: Path, images: Path | None, *, is_base: bool = False) -> None:
    """A run says more beside that of another model.

    Args:
        out: of the run.
        images: as they were given.
        is_base: of a model that no run of ours has trained, and that is held against one.
    """
    runs = (out, "TUNED_RUN") if is_base else ("BASE_RUN", out)
    photos = ["--images", images] if images else []
    print_next(format_command("prove", *runs, *photos, "--out", "proof"))
