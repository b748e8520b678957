"""Does the model know where things are? Tasks, scores and reports.

Questions are made from a detection data set, answers are written to files, and scores are made
from the files, so scoring needs no model and can be repeated. See ``docs/evaluation.md``.
"""
