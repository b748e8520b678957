"""Does the model know where things are? Tasks, scores and reports.

Questions are made of annotations or official files (`tasks`, `questions`), answers are written to
files (`runner`, `predictions`), and scores are made from the files (`answered`, `scoring`,
`metrics`, `judge`), so scoring needs no model and can be repeated. What is made of finished runs is
in `reports` and `suites`. See ``docs/evaluate/evaluation.md``, and ``docs/evaluate/tasks.md`` for
each task's rules.
"""
