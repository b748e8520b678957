"""From photos and boxes to a verdict: build, hold out, ask, train, ask again, prove.

    annotations ─► data ─► recipe.yaml ─► training/model
                    │ held out                 │
                    └─► before/TASK     after/TASK ─► proof, README.md

Each step is the function of the command that it stands for, and that command is printed. A tuning
that was stopped goes on: steps that are done are not done again.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from locvlm import coordinates
from locvlm.errors import InputError
from locvlm.evaluation.proof.prove import PAGE, prove, write_proof
from locvlm.evaluation.proof.structure import Proof
from locvlm.evaluation.runner import evaluate
from locvlm.evaluation.task import Sources
from locvlm.io.folder_lock import hold_folder
from locvlm.progress import show_status
from locvlm.tuning import folders, timing
from locvlm.tuning.budget import Cost, TunePlan, make_plan
from locvlm.tuning.command_lines import SCREEN, format_line, print_line, shorten_path
from locvlm.tuning.data import TuningData, prepare_data
from locvlm.tuning.extent import describe_training, print_plan
from locvlm.tuning.options import TuneOptions
from locvlm.tuning.questions import Questions, find_questions
from locvlm.tuning.readme import pick_category, write_readme
from locvlm.tuning.recipes import share_steps
from locvlm.tuning.seeds import compare_seeds
from locvlm.tuning.start import Start, prepare_start
from locvlm.tuning.state import TuneState, open_state
from locvlm.tuning.step_timer import StepTimer

LOOKS = 4  # photos that are drawn as the model sees them
ENDING = 10.0  # seconds that tables and pages take
CHOSEN = (
    "The training kept the state that did best on some of these photos, so the tuned model looks a "
    "little better on them than on others."
)


@dataclass(frozen=True)
class Tuned:
    """What came of a tuning."""

    proof: Proof  # of the first seed's model
    page: Path
    model: Path
    readme: Path
    category: str  # one that it has learned


def tune(options: TuneOptions, out: Path, credits: Mapping[str, str] | None = None) -> Tuned:
    """Tune a model on photos with boxes, and prove what that changed.

    Args:
        options: what is asked for.
        out: new or empty folder, or that of a tuning with the same options, which goes on.
        credits: file name of a photo -> who took it and under which license, for the page.

    Raises:
        InputError: the options, the data or the model cannot be used, or `out` holds something
            else, or a tuning with other options.
    """
    options.check()
    is_new, was_there = not (out / folders.STATE).exists(), out.exists()
    state = open_state(out, options)
    try:
        with hold_folder(out, "tunes"):
            state.write(out)  # the folder is the tuning's from now on
            try:
                return _Tuning(state, out, StepTimer(SCREEN), credits or {}).run()
            except InputError:
                if is_new and not state.times:  # refused before anything was measured
                    folders.forget(out)  # the mended line may have the folder
                raise
    except InputError:
        if not was_there:
            with suppress(OSError):  # it holds something that was measured
                out.rmdir()
        raise


class _Tuning:
    """The steps, in their order."""

    def __init__(self, state: TuneState, out: Path, timer: StepTimer, credits: Mapping[str, str]):
        self.state = state
        self.options = state.options
        self.out = out
        self.timer = timer
        self.credits = credits

    def run(self) -> Tuned:
        minutes = self.options.minutes
        SCREEN.print(f"About {minutes:g} min, into {self.out}", soft_wrap=True, markup=False)
        with show_status("Importing PyTorch and transformers"):
            import locvlm.models.load  # noqa: F401
        with self.timer.part("1 of 5: photos and boxes become questions and answers"):
            data = prepare_data(self.options, self.out)
            start = prepare_start(self.options, data, self.out)
            questions = find_questions(data, self.options.seed)
            self._look(data, start)
        with self.timer.part("2 of 5: how fast is this machine?"):
            plan = self.state.plan or self._plan(data, start, questions)
            print_plan(plan, self.options, SCREEN)
        seeds, besides = self.options.seeds, self.state.times[timing.BESIDES]
        asking = plan.asking / (1 + seeds)
        with self.timer.part("3 of 5: before", asking + besides):
            self._ask(start.model, self.out / folders.BEFORE, questions, plan)
        loading = self.state.times[timing.LOADING] * seeds
        with self.timer.part("4 of 5: training", plan.training + loading):
            for number in range(seeds):
                self._train(start, plan, number)
        with self.timer.part("5 of 5: after", (asking + besides) * seeds):
            proofs = [self._prove(questions, plan, number) for number in range(seeds)]
        return self._finish(data, start, questions, proofs)

    def _look(self, data: TuningData, start: Start) -> None:
        """As `locvlm inspect`: what the model sees of some photos, for people to check."""
        from locvlm.inspection.inspect import inspect

        folder = self.out / folders.LOOKS
        if folder.exists():
            return
        form, options = start.recipe.format, start.recipe.options
        words = ["--model", start.model, "--count", LOOKS, *(("--format", form) if form else ())]
        print_line(format_line("inspect", data.folder, *words, "--out", folder))
        speech = coordinates.get(form, **options) if form else None
        inspect(data.folder, start.model, folder, count=LOOKS, coordinates=speech)

    def _plan(self, data: TuningData, start: Start, questions: Questions) -> TunePlan:
        """What fits, once it is known how fast the machine is."""
        SCREEN.print(f"Training on {timing.VISITS} photos, then the first questions of each task …")
        timing.time_training(start.file, [], self.out, self.state)
        timing.time_questions(questions, start.model, self.out, self.state)
        times, seeds = self.state.times, self.options.seeds
        first = {task: times[timing.task_key(task)] for task in questions.chunks}
        cost = Cost(
            step=timing.step_seconds(start.recipe, start.steps, self.state) * seeds,
            first={task: each * (1 + seeds) for task, each in first.items()},
            asked=first,
        )
        loading = times[timing.BESIDES] * (1 + seeds) + times[timing.LOADING] * seeds
        left = self.options.minutes * 60 - self.timer.seconds - loading - ENDING
        most = sum(start.steps.values())
        self.state.plan = make_plan(left, cost, most, questions.chunks, self.options.share)
        self.state.write(self.out)
        return self.state.plan

    def _ask(self, model: str, folder: Path, questions: Questions, plan: TunePlan) -> None:
        """As `locvlm eval`, each task into a folder below `folder`."""
        from locvlm.inference.predictor import load_predictor

        predictor = None
        for task, part in plan.tasks.items():
            limit = part.images  # also where that is all: then they are asked in the timed order
            shown = Path(model) if Path(model).is_dir() else model
            words: list[object] = ["--model", shown, "--task", task, *questions.flags()]
            words += ["--limit", limit, "--out", folder / task]
            print_line(format_line("eval", *words))
            predictor = predictor or load_predictor(model)
            evaluate(
                predictor,
                task,
                questions.sources,
                folder / task,
                limit=limit,
                seed=questions.seed,
            )
        del predictor
        gc.collect()  # before another model is loaded

    def _train(self, start: Start, plan: TunePlan, number: int) -> None:
        """As `locvlm train`, with the first seed or the next ones."""
        from locvlm.training.train import train

        start.write(share_steps(start.steps, plan.steps))
        folder = folders.training_folder(self.out, number)
        seed = f"seed={start.recipe.seed + self.options.seed + number}"
        settings = [f"out={json.dumps(str(folder))}", seed]
        print_line(format_line("train", start.file, "--set", f"out={shorten_path(folder)}", seed))
        train(start.file, settings)
        gc.collect()  # a trainer holds its model in circles

    def _prove(self, questions: Questions, plan: TunePlan, number: int) -> Proof:
        """As `locvlm prove`, after the tuned model was asked."""
        before, after = self.out / folders.BEFORE, folders.answers_folder(self.out, number)
        self._ask(str(folders.model_folder(self.out, number)), after, questions, plan)
        out = folders.proof_folder(self.out, number)
        names = list(questions.chunks)
        words = ("--tasks", ",".join(names), "--out", out)
        print_line(format_line("prove", before, after, *words))
        photos = Sources(images=questions.sources.images)
        return prove(str(before), str(after), out, photos, tasks=names, seed=questions.seed)

    def _finish(
        self, data: TuningData, start: Start, questions: Questions, proofs: list[Proof]
    ) -> Tuned:
        """The verdict on the screen and the page, and the file that says how to go on."""
        spreads = [spread.sentence for spread in compare_seeds(proofs)]
        plan = self.state.plan
        trained = describe_training(plan, folders.training_folder(self.out)) if plan else ()
        told = [*trained, *spreads]
        limits = [*told, *((CHOSEN,) if start.chooses_by(data.split) else ())]
        proof = replace(
            proofs[0],
            left_out={**proofs[0].left_out, **questions.left_out},
            limits=[*limits, *proofs[0].limits],
        )
        folder = folders.proof_folder(self.out)
        write_proof(proof, folder, questions.sources.images, self.credits)
        sentences = [*(verdict.sentence for verdict in proof.verdicts), *told]
        page = folder / PAGE
        readme = write_readme(self.out, self.state, data, start.model, sentences, page)
        SCREEN.rule("the verdict")
        for name, why in questions.left_out.items():
            SCREEN.print(f"not asked, {name}: {why}", markup=False)
        for sentence in sentences:
            SCREEN.print(sentence, markup=False)
        # soft: a path broken into two lines cannot be copied
        minutes = f"{self.timer.seconds / 60:.1f} of {self.options.minutes:g} minutes"
        SCREEN.print(f"{minutes}. Look at {page}; {readme} says how to go on", soft_wrap=True)
        return Tuned(proof, page, folders.model_folder(self.out), readme, pick_category(data))
