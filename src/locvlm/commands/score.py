"""`locvlm score`: scores of written answers, without a model."""

from __future__ import annotations

from locvlm.commands import evaluation
from locvlm.commands.arguments import (
    File,
    Format,
    OptionalFile,
    OptionalFolder,
    OptionalName,
    OptionalNumber,
    OptionalUrl,
    Reader,
    Settings,
    Task,
    get_format_or_none,
)
from locvlm.commands.resuming import resumable


@resumable("judge")
def score(
    task: Task,
    /,
    *,
    predictions: File,
    annotations: OptionalFile = None,
    questions: OptionalFile = None,
    references: OptionalFile = None,
    images: OptionalFolder = None,
    videos: OptionalFolder = None,
    from_: Reader = None,
    out: OptionalFolder = None,
    format: Format = None,
    allow_missing: bool = False,
    judge: OptionalUrl = None,
    judge_model: OptionalName = None,
    judge_prompt: OptionalFile = None,
    judge_budget: OptionalNumber = None,
    judge_parallel: OptionalNumber = None,
    judge_setting: Settings = [],  # noqa: B006
    min_objects: OptionalNumber = None,
    option: Settings = [],  # noqa: B006
    seed: OptionalNumber = None,
    json: bool = False,
) -> None:
    """Score answers in a file, without a model: those of `locvlm eval` or of any other tool.

    Rows need an id (id or question_id) and the answer (prediction, answer or text).

    Args:
        task: as in `locvlm eval --list`.
        predictions: the answers, JSON lines or one JSON list.
        annotations: the task's own file, as `locvlm eval --list` says; so are the next two.
        questions: see annotations.
        references: see annotations.
        images: folder of the pictures, for a report that shows some.
        videos: that of the clips, likewise.
        from_: form of detection annotations; told from the file if not given.
        out: folder of scores.json and report.md; beside the predictions of `locvlm eval`, and none
            for those of other tools, if not given.
        format: how the answers write locations, if their rows do not say it, such as qwen3-vl.
        allow_missing: score the answers that are there where some are missing.
        judge: free answers are also read by a language model at this URL, such as
            https://api.openai.com/v1; its key is taken from LOCVLM_JUDGE_KEY or OPENAI_API_KEY, its
            replies are kept beside the predictions, in a file that ends in -judge.jsonl; a command
            that was stopped goes on from there.
        judge_model: its name, as the server has it.
        judge_prompt: a file with another prompt, with {question}, {answer} and {prediction}.
        judge_budget: requests that may be made now; any number if not given.
        judge_parallel: requests under way at a time; 4 if not given.
        judge_setting: of the request, such as max_tokens=100; may be repeated. temperature is 0.
        min_objects: coco-spatial: as in the run, whose run.json says it if not given.
        option: another option of the task, such as min_objects=2; may be repeated.
        seed: as in the run, whose run.json says it if not given.
        json: print scores.json instead of a table.
    """
    from locvlm.evaluation.scoring import read_run_beside
    from locvlm.evaluation.scoring import score as run

    sources = evaluation.task_sources(
        images, videos, from_, annotations=annotations, questions=questions, references=references
    )
    folder = out or (predictions.parent if read_run_beside(predictions, task) else None)
    result = run(
        task,
        predictions,
        sources,
        folder,
        coordinates=get_format_or_none(format),
        allow_missing=allow_missing,
        judge=evaluation.judge_of(
            judge, judge_model, judge_prompt, judge_budget, judge_parallel, judge_setting
        ),
        seed=seed,
        **evaluation.task_options(option, min_objects),
    )
    evaluation.show(result, folder, json=json)
