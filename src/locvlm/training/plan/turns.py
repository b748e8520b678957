"""Mean lengths of questions and answers, to plan with where there is nothing to count."""

from __future__ import annotations

# Objective -> mean tokens of a question, with the template around it, and of an answer. Counted
# with LocVLM-Tiny's tokenizer (a token per digit) and IVB on COCO.
TURNS = {
    "locpred": (31, 20),
    "negpred": (31, 9),
    "revloc": (27, 6),
    "presence": (17, 17),
    "category": (13, 8),
    "spatial": (14, 10),
    "caption": (13, 13),
}
OTHER = (31, 20)


def mean_turn(objective: str) -> tuple[int, int]:
    """Tokens of a question of this objective, and of its answer."""
    return TURNS.get(objective, OTHER)
