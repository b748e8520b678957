"""Ask two models the same questions, or take runs that have, and weigh them against each other.

OUT/base/TASK/…, OUT/tuned/TASK/…   runs, as `locvlm eval` writes them
OUT/proof.json, OUT/proof.html      the proof
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from locvlm.distributed import current_process
from locvlm.errors import InputError
from locvlm.evaluation import run_files
from locvlm.evaluation import tasks as all_tasks
from locvlm.evaluation.ask_model import Answerer
from locvlm.evaluation.fitting import tasks_for
from locvlm.evaluation.proof.figures import PLAIN, weigh_task
from locvlm.evaluation.proof.limits import state_limits
from locvlm.evaluation.proof.page import render_proof
from locvlm.evaluation.proof.structure import Proof, TaskProof
from locvlm.evaluation.run_scores import read_scores
from locvlm.evaluation.runner import evaluate
from locvlm.evaluation.task import Sources
from locvlm.io.atomic import ensure_dir, write_bytes
from locvlm.io.json_rows import write_json
from locvlm.models.folders import resolve

PROOF, PAGE = "proof.json", "proof.html"
ROLES = ("base", "tuned")
# What is asked where nothing else is said, as far as the data give questions
TASKS = ("locate", "describe", "hal-coco", "coco-spatial", *PLAIN)

LoadModel = Callable[[str], Answerer]


def prove(
    base: str,
    tuned: str,
    out: Path | None,
    sources: Sources | None = None,
    *,
    tasks: Sequence[str] | None = None,
    limit: int | None = None,
    seed: int = 0,
    load: LoadModel | None = None,
    credits: Mapping[str, str] | None = None,
) -> Proof:
    """Weigh a tuned model against its base. A proof that was killed goes on where it stopped.

    Args:
        base: a shipped model or a folder of one; or of a finished run, or of several (their folders
            below it are called as their tasks).
        tuned: likewise; it is held against `base`.
        out: folder of the answers and the proof; None: nothing is written, for finished runs alone.
        sources: the data that models are asked about, and the folder of its photos; of finished
            runs the folder alone, for the page; None: there is none.
        tasks: names; None: those of the finished runs, else all that the data allow.
        limit: images of each task; None: all.
        seed: of questions, bootstrap and examples.
        load: makes a model of its name; None: `load_predictor`.
        credits: file name of a photo -> who took it and under which license, for the page.

    Raises:
        InputError: a run or model is missing, the runs are of other questions, or the data allow
            no task.
    """
    runs = [find_runs(Path(each)) for each in (base, tuned)]
    left_out: dict[str, str] = {}
    names = list(tasks) if tasks is not None else _shared(runs, left_out)
    for name in names or ():
        all_tasks.get(name)  # a name that is unknown is told before anything is loaded
    if not all(runs):
        if out is None or sources is None or not sources.files:
            missing = next(each for each, of in zip((base, tuned), runs, strict=True) if not of)
            raise InputError(
                f"{missing}: no finished run of locvlm eval; to ask it as a model, give "
                "--annotations, --images and --out"
            )
        if load is None:
            for model, of in zip((base, tuned), runs, strict=True):
                if not of:
                    resolve(model)  # the second, too, is told before the first is asked
        names = _fitting(names or TASKS, sources, seed, left_out)
        for role, model, of in zip(ROLES, (base, tuned), runs, strict=True):
            if not of:
                load_model = load or _load
                of.update(_ask(load_model(model), names, sources, out / role, limit, seed))
    proof = _weigh(runs, names or [], left_out, seed)
    if out is not None and current_process().rank == 0:
        write_proof(proof, out, None if sources is None else sources.images, credits)
    return proof


def write_proof(
    proof: Proof, out: Path, images: Path | None, credits: Mapping[str, str] | None = None
) -> None:
    """``proof.json`` and ``proof.html``.

    Args:
        proof: what is shown.
        out: folder of both.
        images: that of the photos; None: none is shown.
        credits: file name of a photo -> who took it and under which license.
    """
    write_json(ensure_dir(out) / PROOF, proof)
    write_bytes(out / PAGE, render_proof(proof, images, credits).encode())


def find_runs(folder: Path) -> dict[str, Path]:
    """Task -> the folder of its finished run: `folder` itself, or those in it. Of a model none."""
    if (folder / run_files.SCORES).is_file():
        return {_task_of(folder): folder}
    if any((folder / name).exists() for name in ("config.json", "adapter_config.json")):
        return {}
    found = [path.parent for path in sorted(folder.glob(f"*/{run_files.SCORES}"))]
    return {_task_of(path): path for path in found}


def _task_of(folder: Path) -> str:
    return str(read_scores(folder)["task"])


def _shared(runs: Sequence[Mapping[str, Path]], left_out: dict[str, str]) -> list[str] | None:
    """The tasks of all finished runs; None: there are none."""
    finished = [of for of in runs if of]
    if not finished:
        return None
    names = [name for name in finished[0] if all(name in of for of in finished)]
    for of in finished:
        left_out |= dict.fromkeys(of.keys() - set(names), "only one of the two has a run of it")
    if not names:
        raise InputError("the two have no finished run of the same task; ask them the same tasks")
    return names


def _fitting(
    names: Sequence[str], sources: Sources, seed: int, left_out: dict[str, str]
) -> list[str]:
    """The tasks that the data give questions for; the others are added to `left_out`, with why."""
    fitting = tasks_for(sources, seed=seed)
    fits = []
    for name in names:
        if name in fitting.fits:
            fits.append(name)
        else:
            why = f"asks about other data than detection annotations; it takes {_files_of(name)}"
            left_out[name] = fitting.left_out.get(name, why)
    if not fits:
        name, why = next(iter(left_out.items()))
        raise InputError(f"the data allow no task; {name}: {why}")
    return fits


def _files_of(task: str) -> str:
    return ", ".join(f"--{flag}" for flag in all_tasks.get(task).files) or "none"


def _load(model: str) -> Answerer:
    from locvlm.inference.predictor import load_predictor

    return load_predictor(model)


def _ask(
    predictor: Answerer,
    names: Sequence[str],
    sources: Sources,
    out: Path,
    limit: int | None,
    seed: int,
) -> dict[str, Path]:
    for name in names:
        evaluate(predictor, name, sources, out / name, limit=limit, seed=seed)
    return {name: out / name for name in names}


def _weigh(
    runs: Sequence[Mapping[str, Path]],
    names: Sequence[str],
    left_out: Mapping[str, str],
    seed: int,
) -> Proof:
    for name in names:
        if lacking := [of for of in runs if name not in of]:
            have = ", ".join(lacking[0]) or "none"
            raise InputError(f"no finished run of {name} is there; there are runs of: {have}")
    weighed = [weigh_task(runs[0][name], runs[1][name], seed=seed) for name in names]
    notes = _notes_of_all(weighed)
    models = [read_scores(of[names[0]])["model"] for of in runs]
    return Proof(
        base=models[0],
        tuned=models[1],
        seed=seed,
        verdicts=[verdict for task in weighed for verdict in task.verdicts],
        tasks=[
            msgspec.structs.replace(task, notes=[note for note in task.notes if note not in notes])
            for task in weighed
        ],
        left_out=dict(left_out),
        limits=state_limits(weighed),
        notes=notes,
    )


def _notes_of_all(weighed: Sequence[TaskProof]) -> list[str]:
    """Those that hold for each of several tasks: they are said once."""
    first, *others = weighed
    return [note for note in first.notes if others and all(note in of.notes for of in others)]
