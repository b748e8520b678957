"""Did the tuning help? The same questions to two models, paired by image, and a verdict in words.

    from locvlm.evaluation.proof.prove import prove

    proof = prove(
        "tiny",                    # a shipped model, a folder of one, or of finished runs
        "runs/mine/model",
        Path("proof"),             # answers, proof.json and proof.html; None: nothing is written
        Sources({"annotations": Path("data/shop")}, Path("photos")),  # None: only finished runs
        tasks=None,                # names; None: all that the data allow
        limit=None,                # photos of each task; None: all
        seed=0,
    )
    for verdict in proof.verdicts:
        print(verdict.sentence)

`prove` is called again to go on after a kill. Its `Proof` (`structure`) holds every figure once;
terminal (`commands/prove.py`), ``proof.json`` and ``proof.html`` (`page`) only show it.
"""
