"""PaliGemma: ``<loc0286><loc0102><loc0745><loc0621>``, y first, 1024 steps from edge to edge.

Source: arXiv 2407.07726; github.com/google-research/big_vision,
`big_vision/pp/proj/paligemma/segmentation.py` (out: round(share * 1023), half to even, clipped)
and `evaluators/proj/paligemma/transfers/segmentation.py` (back: number / 1023).
"""

from locvlm.coordinates.dialect import Dialect, Form


class PaliGemma(Dialect):
    """``<locY1><locX1><locY2><locX2>``, each 0000 … 1023. Boxes only.

    Many a tool reads a number as n / 1024; that is up to a thousandth of the picture short.
    """

    name = "paligemma"
    order = "yx"
    scale = 1023
    top = 1023
    pad = 4
    box = Form("<loc{}><loc{}><loc{}><loc{}>")
    labelled = "{place} {label}"
    joint = " ; "
    stray = r"(?:<loc-?[0-9]+>\s*)+"
