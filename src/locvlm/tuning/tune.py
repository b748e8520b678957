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
from locvlm.evaluation.task import Sources
from locvlm.io.folder_lock import hold_folder
from locvlm.progress import show_status
from locvlm.training.recipe import Validation
from locvlm.tuning import folders, timing
from locvlm.tuning.asking import ask, share_answers
from locvlm.tuning.budget import TaskPlan, TunePlan
from locvlm.tuning.clock import TuneClock
from locvlm.tuning.command_lines import SCREEN, format_line, print_line, shorten_path
from locvlm.tuning.data import TuningData, prepare_data
from locvlm.tuning.extent import describe_after, describe_training, print_plan
from locvlm.tuning.looks import fit_looks
from locvlm.tuning.options import TuneOptions
from locvlm.tuning.questions import Questions, find_questions
from locvlm.tuning.readme import pick_category, write_readme
from locvlm.tuning.recipes import STAGE, share_steps
from locvlm.tuning.seeds import compare_seeds
from locvlm.tuning.start import Start, check_model, prepare_start
from locvlm.tuning.state import TuneState, open_state
from locvlm.tuning.step_timer import StepTimer

LOOKS = 4  # photos that are drawn as the model sees them
EXCESS = 1.5  # times the minutes: what takes longer, though it is the least, is refused
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


def tune(
    options: TuneOptions,
    out: Path,
    credits: Mapping[str, str] | None = None,
    *,
    patient: bool = False,
) -> Tuned:
    """Tune a model on photos with boxes, and prove what that changed.

    Args:
        options: what is asked for.
        out: new or empty folder, or that of a tuning with the same options, which goes on.
        credits: file name of a photo -> who took it and under which license, for the page.
        patient: what the least needs is taken, however long that is.

    Raises:
        InputError: the options, the data or the model cannot be used; `out` holds something else,
            or a tuning with other options; or the minutes are too few for anything.
    """
    options.check()
    is_new, was_there = not (out / folders.STATE).exists(), out.exists()
    state = open_state(out, options)
    try:
        with hold_folder(out, "tunes"):
            state.write(out)  # the folder is the tuning's from now on
            try:
                timer = StepTimer(SCREEN, state.spent)
                return _Tuning(state, out, timer, credits or {}, patient).run()
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

    def __init__(
        self,
        state: TuneState,
        out: Path,
        timer: StepTimer,
        credits: Mapping[str, str],
        patient: bool,
    ):
        self.state = state
        self.options = state.options
        self.out = out
        self.timer = timer
        self.credits = credits
        self.patient = patient

    def run(self) -> Tuned:
        minutes = self.options.minutes
        SCREEN.print(f"About {minutes:g} min, into {self.out}", soft_wrap=True, markup=False)
        with show_status("Importing PyTorch and transformers"):
            import locvlm.models.load  # noqa: F401
        with self.timer.part("1 of 5: photos and boxes become questions and answers"):
            check_model(self.options)
            data = prepare_data(self.options, self.out)
            start = prepare_start(self.options, data, self.out)
            questions = find_questions(data, self.options.seed)
            self._look(data, start)
        clock = TuneClock(self.state, self.timer, questions.chunks)
        with self.timer.part("2 of 5: how fast is this machine?"):
            plan = self.state.plan or self._plan(clock, start, questions)
            print_plan(plan, self.options, SCREEN)
        with self.timer.part("3 of 5: before", clock.before(plan)):
            took = ask(start.model, self.out / folders.BEFORE, questions, plan.tasks)
            self.state.times |= {timing.rest_key(task): each for task, each in took.items()}
            plan = self._settle(clock, plan, start)
        seeds = self.options.seeds
        loading = self.state.times[timing.LOADING] * seeds
        with self.timer.part("4 of 5: training", plan.training + loading):
            for number in range(seeds):
                self._train(clock, start, plan, number)
        with self.timer.part("5 of 5: after", clock.after(plan) * seeds):
            asked = self._choose_after(clock, questions, plan)
            proofs = [self._prove(questions, asked, number) for number in range(seeds)]
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

    def _plan(self, clock: TuneClock, start: Start, questions: Questions) -> TunePlan:
        """What fits, once it is known how fast the machine is."""
        SCREEN.print(f"Training on {timing.VISITS} photos, then the first questions of each task …")
        timing.time_training(start.file, [], self.out, self.state)
        timing.time_questions(questions, start.model, self.out, self.state)
        step = timing.step_seconds(start.recipe, start.steps, self.state)
        plan = clock.plan(step, sum(start.steps.values()))
        self.state.spent = self.timer.seconds
        self.state.write(self.out)
        wanted, needed = self.options.minutes, plan.minutes(self.options.minutes)
        if needed > EXCESS * wanted and not self.patient:
            raise InputError(
                f"--minutes {wanted:g}: even the least that says anything takes about {needed:g} "
                f"min on this machine, as busy as it is; type --minutes {needed:g}: the same line "
                "goes on from what was timed"
            )
        self.state.plan = plan
        self.state.write(self.out)
        return plan

    def _settle(self, clock: TuneClock, plan: TunePlan, start: Start) -> TunePlan:
        """The plan with the steps for which there is time, now that the start was asked."""
        if self.state.settled:
            return plan
        step = timing.step_seconds(start.recipe, start.steps, self.state)
        settled = clock.settle(plan, step)
        if settled.steps != plan.steps:
            SCREEN.print(f"By the clock, there are {settled.steps} steps now, not {plan.steps}.")
        self.state.plan, self.state.settled = settled, True
        self.state.spent = self.timer.seconds
        self.state.write(self.out)
        return settled

    def _train(self, clock: TuneClock, start: Start, plan: TunePlan, number: int) -> None:
        """As `locvlm train`, with the first seed or the next ones, as long as there is time."""
        from locvlm.training.engine.time_limit import read_end
        from locvlm.training.train import train

        start.write(share_steps(start.steps, plan.steps), self._looks(clock, start, plan))
        folder = folders.training_folder(self.out, number)
        seed = f"seed={start.recipe.seed + self.options.seed + number}"
        settings = [f"out={json.dumps(str(folder))}", seed]
        print_line(format_line("train", start.file, "--set", f"out={shorten_path(folder)}", seed))
        train(start.file, settings, max_seconds=clock.training(plan, number))
        gc.collect()  # a trainer holds its model in circles
        if number >= self.state.trained:
            self.state.trained = number + 1
            for name in start.steps:
                if end := read_end(folder / name):
                    self.state.ended[f"{folder.name}/{name}"] = (end.step, end.steps)
            self.state.spent = self.timer.seconds
            self.state.write(self.out)

    def _looks(self, clock: TuneClock, start: Start, plan: TunePlan) -> Validation | bool | None:
        """How the training looks at held-out photos; None: as a recipe or setting says."""
        told = any(setting.startswith("validation") for setting in self.options.settings)
        if self.options.recipe or told or STAGE not in start.steps:
            return None
        first = {task: of[0] for task, of in clock.chunks.items()}
        return fit_looks(start.recipe, plan.steps, self.state.times, first)

    def _choose_after(
        self, clock: TuneClock, questions: Questions, plan: TunePlan
    ) -> Mapping[str, TaskPlan]:
        """What the tuned models are asked: all that the start was, unless they are far slower."""
        if not self.state.after:
            model, folder = folders.model_folder(self.out), folders.answers_folder(self.out)
            first = dict(timing.time_first(questions, str(model), folder))
            self.state.after = clock.choose_after(plan, first)
            self.state.spent = self.timer.seconds
            self.state.write(self.out)
            for sentence in describe_after(plan, self.state.after):
                SCREEN.print(sentence)
        return self.state.after

    def _prove(self, questions: Questions, asked: Mapping[str, TaskPlan], number: int) -> Proof:
        """As `locvlm prove`, after the tuned model was asked."""
        before, after = self.out / folders.BEFORE, folders.answers_folder(self.out, number)
        ask(str(folders.model_folder(self.out, number)), after, questions, asked)
        before = share_answers(before, after, self.out / folders.SHARED, questions)
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
        asked = describe_after(plan, self.state.after) if plan else ()
        told = [*trained, *asked, *spreads]
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
