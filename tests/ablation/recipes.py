"""Recipes and entries that the tests of ablations share."""

from locvlm.evaluation.suites.suite import Entry
from locvlm.training.recipe import Parts, Recipe, Stage

ASKED = {"locpred": 4, "negpred": 2, "revloc": 3, "caption": 1}
RECIPE = Recipe(
    data=("d",),
    out="o",
    model="tiny",
    options={"bins": 224},
    stages={"a": Stage("lora", 5, questions=ASKED)},
)
PAPER = Stage("adapter+language", 5, questions={"locpred": 4, "negpred": 4, "revloc": 4})
CAPTIONS = Stage("adapter", 5, questions={"caption": 1})
PARTS = Parts(encoder="openai/clip-vit-large-patch14", language="huggyllama/llama-7b")
SUITE = [Entry("locate", "locate", {"annotations": "instances.json"}, "images")]
CLIPS = Entry("clips", "activitynet-qa", {"questions": "q.json"}, videos="clips")
