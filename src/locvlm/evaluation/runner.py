"""Ask a model a task's questions, write its answers down, and score what was written.

The figures of a run and of a later `scoring.score` come from the same code and the same file.
Processes of `torchrun` share the questions and give the same answers as one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from locvlm.distributed import current_process
from locvlm.errors import InputError
from locvlm.evaluation import run_files, tasks
from locvlm.evaluation.answered import settle_split
from locvlm.evaluation.ask_model import (
    Answerer,
    AnswerMethod,
    ask_questions,
    batch_questions,
    check_clips,
    check_method,
    decoding_record,
    format_record,
    is_drawing,
)
from locvlm.evaluation.fitting import load_questions
from locvlm.evaluation.learned import find_learned
from locvlm.evaluation.limited import questions_by_image, say_first, takes_first
from locvlm.evaluation.predictions import Prediction
from locvlm.evaluation.run_files import EvaluationRun
from locvlm.evaluation.run_scores import read_scores
from locvlm.evaluation.samples import AnswerFiles, check_samples
from locvlm.evaluation.scoring import score_questions
from locvlm.evaluation.sources import check_truths
from locvlm.evaluation.submission import write_submission
from locvlm.evaluation.task import Question, QuestionSet, Sources, digest_questions, group_by_view
from locvlm.evaluation.unreadable import (
    check_any_answered,
    find_unreadable_clips,
    print_odd_clips,
    print_skipped,
)
from locvlm.evaluation.unseen import find_unseen, leave_out
from locvlm.evaluation.versions import read_versions
from locvlm.io.atomic import ensure_dir
from locvlm.io.json_rows import write_json
from locvlm.progress import count_progress


def evaluate(
    predictor: Answerer,
    task: str,
    sources: Sources,
    out: Path,
    *,
    method: AnswerMethod = "generate",
    limit: int | None = None,
    seed: int = 0,
    samples: int = 1,
    ask_unseen: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Ask, write and score; returns what ``scores.json`` holds.

    Of a test split, whose true answers a server alone has, there are no scores: see `submission`.

    A run that was killed goes on where it stopped. Pictures and clips that cannot be read are
    named, left out and counted; they are asked about once they can be. So are questions about what
    lies outside of what the model sees, where its processor crops.

    Args:
        predictor: the model.
        task: name of the task.
        sources: its files, and the folder of the pictures or clips.
        out: folder of the run.
        method: how the model answers, "generate" or "choice".
        limit: pictures or clips with questions to ask about, a sample by `seed` in which each
            category has its share; a run can go on with more. None: all.
        seed: of what the task draws.
        samples: answers to each question, of a model that draws them; the scores are their means.
        ask_unseen: ask also about what lies outside of what the model sees.
        options: the task's own.

    Raises:
        InputError: an unknown task or option; a file is missing; no question can be made; no
            picture or clip can be read in the size that is annotated; the model does not read
            clips; `out` holds another run.
    """
    kind = tasks.get(task)
    check_samples(samples, method, drawn=is_drawing(predictor))
    check_clips(predictor, kind)
    settings = tasks.resolve_options(kind, options)
    questions = load_questions(task, sources, seed=seed, options=settings)
    check_truths(kind, questions)
    if questions.truths == "secret" and samples > 1:
        raise InputError(f"{task}: a server takes one answer to each question; leave out --samples")
    check_method(method, task, questions)
    first = takes_first(out)
    by_image = questions_by_image(questions, limit, seed=None if first else seed).values()
    groups = [group for of_image in by_image for group in group_by_view(of_image)]
    unseen = [] if ask_unseen else find_unseen(predictor, chain.from_iterable(groups))
    groups = leave_out(groups, unseen, questions.source)
    process = current_process()
    files = AnswerFiles(out / run_files.PREDICTIONS, samples)
    if process.rank == 0:
        facts = {"task": task, "seed": seed, "options": settings, "limit": limit, "unseen": unseen}
        facts["sampled"] = not first and limit is not None
        if first:
            say_first(out, limit)
        new = _new_run(predictor, decoding_record(predictor, method, samples), questions, **facts)
        _open_run(files, new, questions)
    process.wait_for_all()
    run = run_files.read_json(out / run_files.RUN, EvaluationRun)  # perhaps begun on another device
    folder = questions.sources.media_folder(kind) or Path()
    asker = _Asker(predictor, folder, method, kind.card.clips, files)
    found = _ask_all(asker, list(batch_questions(groups, predictor.frames, run.at_once)))
    process.wait_for_all()
    if process.rank == 0:
        files.merge_parts()
        run = _note_unreadable(asker, groups, run, found)
        run = _note_learned(asker, groups, run)
        finish = write_submission if questions.truths == "secret" else score_questions
        result = finish(kind, questions, files.path, out, run=run, seed=seed, options=settings)
        print_odd_clips(result)
    process.wait_for_all()
    return read_scores(out)


@dataclass(frozen=True)
class _Asker:
    """How all questions of a run are asked."""

    predictor: Answerer
    folder: Path  # of the images or clips
    method: AnswerMethod
    clips: bool
    files: AnswerFiles  # of the run

    def ask(
        self, groups: list[list[Question]], unreadable: dict[str, str]
    ) -> Iterator[list[Prediction]]:
        """Each question's answers, of each sample; what cannot be shown is added, with why."""
        return ask_questions(
            self.predictor,
            self.folder,
            groups,
            self.method,
            clips=self.clips,
            unreadable=unreadable,
            samples=self.files.samples,
        )


def _ask_all(asker: _Asker, chunks: Sequence[list[list[Question]]]) -> dict[str, str]:
    """Ask this process's share of what has no answer yet; what cannot be shown, with reasons.

    A chunk that a kill has torn is asked whole, for what is asked together may decide a rounding.
    So chunks are those with which the run began, also where it goes on with another device.
    """
    process, files = current_process(), asker.files
    done = files.ids()
    whole = set.intersection(*done)
    mine = files if process.count == 1 else files.of_process(process.rank)
    share = process.share(chunks)
    unanswered = [
        group for chunk in share for group in chunk if any(item.id not in whole for item in group)
    ]
    unreadable: dict[str, str] = {}
    if asker.clips:
        unreadable |= find_unreadable_clips(asker.folder, (group[0].image for group in unanswered))
        print_skipped(unreadable)
    left = {group[0].image for group in unanswered}.difference(unreadable)
    todo = [chunk for chunk in share if any(group[0].image in left for group in chunk)]
    total, ahead = (sum(map(len, some)) for some in (share, todo))
    doing = f"{files.path.parent.name} · {asker.predictor.name}"
    with count_progress(total, doing, total - ahead) as advance:
        for chunk in todo:
            groups = [group for group in chunk if group[0].image not in unreadable]
            met: dict[str, str] = {}
            mine.append(asker.ask(groups, met), done)
            print_skipped(met)
            unreadable |= met
            advance(len(chunk))
    return unreadable


def _note_unreadable(
    asker: _Asker, groups: Sequence[list[Question]], run: EvaluationRun, found: Mapping[str, str]
) -> EvaluationRun:
    """The run with what could not be shown, by any process: what has no answer."""
    files = asker.files
    done = files.ids()
    whole = set.intersection(*done)
    unreadable: dict[str, str] = {}
    for group in groups:
        if all(question.id in whole for question in group):
            continue
        if (name := group[0].image) in found:
            unreadable[name] = found[name]
        else:  # another process met it
            rows = list(asker.ask([group], unreadable))
            files.append(rows, done)
            whole |= {row.id for row, *_ in rows}
    check_any_answered((question for group in groups for question in group), whole, unreadable)
    run = replace(run, unreadable=unreadable)
    write_json(files.path.parent / run_files.RUN, run)
    return run


def _note_learned(
    asker: _Asker, groups: Sequence[list[Question]], run: EvaluationRun
) -> EvaluationRun:
    """The run with what of its images the model learned from."""
    asked = {group[0].image for group in groups}.difference(run.unreadable)
    run = replace(run, learned=find_learned(asker.predictor, asker.folder, asked))
    write_json(asker.files.path.parent / run_files.RUN, run)
    return run


def _new_run(
    predictor: Answerer, decoding: dict[str, Any], questions: QuestionSet, **facts: Any
) -> EvaluationRun:
    return EvaluationRun(
        model=predictor.name,
        model_digest=predictor.digest,
        coordinates=format_record(predictor),
        decoding=decoding,
        questions=digest_questions(*questions),
        versions=read_versions(),
        at_once=predictor.at_once,
        split=questions.split,
        names=dict(questions.names),
        **facts,
    )


def _open_run(files: AnswerFiles, run: EvaluationRun, questions: QuestionSet) -> None:
    """Make ready the predictions files of a new run, or of this very run, begun earlier."""
    settings = files.path.parent / run_files.RUN
    ensure_dir(settings.parent)
    if settings.exists():
        before = run_files.read_json(settings, EvaluationRun)
        # Options that the task had not yet are at their defaults
        before = replace(before, options={**tasks.get(run.task).options, **before.options})
        run = replace(run, at_once=before.at_once)
        before = settle_split(settings, before, run)
        if before.questions != run.questions and _holds_only_answers_to(questions, files):
            before = replace(before, questions=run.questions)
        _check_same_run(settings, before, run)
    elif old := [path for path in files.paths if path.exists()]:
        raise InputError(f"{old[0]}: answers without their {run_files.RUN}; choose another --out")
    write_json(settings, run)
    files.open()


def _check_same_run(path: Path, before: EvaluationRun, run: EvaluationRun) -> None:
    """Raises InputError unless the answers of the run `before`, in `path`, are those of `run`."""
    # It may go on with more pictures, and with other versions of the libraries
    old, new = (
        msgspec.to_builtins(
            replace(
                r, limit=None, sampled=False, versions={}, unreadable={}, unseen=[], learned=None
            )
        )
        for r in (before, run)
    )
    order = ("names", *new)  # other words make other questions, too
    changed = next((key for key in order if old[key] != new[key]), None)
    if changed is None:
        return
    if changed == "questions":
        what = "about other questions or true answers: the data set has changed since"
    elif changed != "model_digest":
        what = f"with {changed} {old[changed]!r}, not {new[changed]!r}"
    elif before.model_digest is None:
        what = f"that does not say which weights of {run.model} answered (older runs do not)"
    else:
        what = f"of {run.model} with other weights or settings: the model has changed since"
    raise InputError(f"{path}: this folder holds a run {what}; choose another --out")


def _holds_only_answers_to(questions: QuestionSet, files: AnswerFiles) -> bool:
    """Whether each answer there is, is to one of the questions, unchanged.

    So is it where a clip that could not be read was taken out, or was put in the place of one.
    """
    asked = {question.id: digest_questions(question) for question in questions}
    return all(asked.get(row.id) == row.digest for row in files.every())
