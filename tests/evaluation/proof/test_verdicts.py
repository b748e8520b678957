import pytest

from locvlm.evaluation.proof.structure import Figure
from locvlm.evaluation.proof.verdicts import state


def said(kind, base, tuned, low, high, images=120, changed=60):
    figure = Figure("s", kind, base, tuned, tuned - base, low, high, 400, images, changed)
    verdict = state(figure, "Finds objects", "mean IoU", "photo")
    return verdict.word, verdict.sentence


@pytest.mark.parametrize(
    ("figures", "word", "sentence"),
    [
        (
            ("mean", 0.21, 0.42, 0.18, 0.24),
            "better",
            "Finds objects better: mean IoU 0.210 → 0.420, difference +0.180 … +0.240 on 120 "
            "photos.",
        ),
        (
            ("rate", 0.42, 0.21, -0.24, -0.18),
            "worse",
            "Finds objects worse: mean IoU 42.0 % → 21.0 %, difference −24.0 … −18.0 points on 120 "
            "photos.",
        ),
        (
            ("rate", 0.5, 0.51, -0.02, 0.04),
            "as before",
            "Finds objects as before, as far as 120 photos can show: mean IoU 50.0 % → 51.0 %, "
            "difference −2.0 … +4.0 points; up to 4.0 points could have gone unseen.",
        ),
        (
            ("rate", 0.5, 0.5, 0.0, 0.0, 120, 0),
            "as before",
            "Finds objects as before: mean IoU 50.0 % → 50.0 % on 120 photos, the same on each; "
            "up to 2.5 points could have gone unseen.",
        ),
        (
            ("rate", 0.5, 0.53, 0.01, 0.06, 120, 4),
            "as before",
            "Finds objects as before, as far as 120 photos can show: mean IoU 50.0 % → 53.0 %, "
            "difference +1.0 … +6.0 points, but the models differ on 4 photos alone.",
        ),
        (
            ("mean", 0.0, 1.0, 1.0, 1.0, 5, 5),
            "too few",
            "Finds objects: mean IoU 0.000 → 1.000 on 5 photos, too few to tell a difference from "
            "chance.",
        ),
    ],
)
def test_a_verdict_says_what_these_photos_can_show(figures, word, sentence):
    assert said(*figures) == (word, sentence)
