"""`locvlm score`: scores of written answers, without a model."""

from __future__ import annotations

from typing import Annotated

from tyro.conf import arg

from locvlm.commands.arguments import (
    File,
    Format,
    FormatSettings,
    OptionalFolder,
    OptionalName,
    OptionalNumber,
    OptionalUrl,
    Task,
    get_format_or_none,
)
from locvlm.commands.evaluation import JudgeOptions, TaskFiles, print_scores
from locvlm.commands.next_step import format_command, print_next
from locvlm.commands.resuming import resumable


@resumable("judge")
def score(
    task: Task,
    /,
    *,
    predictions: File,
    images: OptionalFolder = None,
    videos: OptionalFolder = None,
    out: OptionalFolder = None,
    format: Format = None,
    set: FormatSettings = [],  # noqa: B006
    id_column: OptionalName = None,
    answer_column: OptionalName = None,
    allow_missing: bool = False,
    judge: OptionalUrl = None,
    min_objects: OptionalNumber = None,
    seed: OptionalNumber = None,
    json: bool = False,
    files: Annotated[TaskFiles, arg(name="")],
    judging: Annotated[JudgeOptions, arg(name="")],
) -> None:
    """Score answers in a file, without a model: those of `locvlm eval` or of any other tool.

    Rows need an id (id or question_id) and the answer (prediction, response, answer, text …); what
    else they hold does not matter.

    Args:
        task: as in `locvlm eval --list`.
        predictions: the answers, JSON lines or one JSON list; of several samples the first file
            stands for all, predictions-2.jsonl for the second alone.
        images: folder of the pictures, for a report that shows some.
        videos: that of the clips, likewise.
        out: folder of scores.json and report.md; beside the predictions of `locvlm eval`, and none
            for those of other tools, if not given.
        format: how the answers write locations, if their rows do not say it, such as qwen3-vl.
        id_column: of another tool's rows, the column that holds the question's id.
        answer_column: likewise, the one that holds what the model said.
        allow_missing: score the answers that are there where some are missing.
        judge: free answers are also read by a language model at this URL, such as
            https://api.openai.com/v1; its key is taken from LOCVLM_JUDGE_KEY or OPENAI_API_KEY, its
            replies are kept beside the predictions, in a file that ends in -judge.jsonl; a command
            that was stopped goes on from there.
        min_objects: coco-spatial: as in the run, whose run.json says it if not given.
        seed: as in the run, whose run.json says it if not given.
        json: print scores.json instead of a table.
    """
    from locvlm.evaluation.answered import read_run_beside
    from locvlm.evaluation.outputs import check_score_folder
    from locvlm.evaluation.predictions import Columns
    from locvlm.evaluation.run_files import PREDICTIONS
    from locvlm.evaluation.scoring import score as run

    files = files.for_task(task)
    sources = files.sources(images, videos)
    whole = predictions.name == PREDICTIONS and read_run_beside(predictions, task)
    folder = out or (predictions.parent if whole else None)
    if folder is not None:
        check_score_folder(folder, predictions, sources)
    result = run(
        task,
        predictions,
        sources,
        folder,
        coordinates=get_format_or_none(format, set),
        allow_missing=allow_missing,
        judge=judging.judge_at(judge),
        seed=seed,
        columns=Columns(id_column, answer_column),
        **files.options(min_objects),
    )
    print_scores(result, folder, json=json)
    if folder is not None and not json and "scores" in result:
        print_next(format_command("compare", "OTHER_RUN", folder))
