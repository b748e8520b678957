"""Tables of figures for screens of any width: words and numbers stay whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from locvlm.shown.screen import Screen


@dataclass(frozen=True, slots=True)
class _Layout:
    """How columns are set apart."""

    box: str  # the name of rich's
    padding: int  # spaces on both sides of a cell
    edges: int  # characters of the lines at both ends

    def width_of(self, sizes: Sequence[int]) -> int:
        return sum(sizes) + 2 * self.padding * len(sizes) + len(sizes) - 1 + self.edges


_LAYOUTS = (_Layout("HEAVY_HEAD", 1, 2), _Layout("MINIMAL", 0, 2))  # the wide one first


def make_figure_table(
    screen: Screen,
    title: str,
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    spare: Sequence[str] = (),
    caption: str = "",
) -> Table:
    """A table with a name in each row's first cell, broken between words alone, and figures.

    Where the screen is too narrow, lines and spaces between the columns go first, then the columns
    in `spare`, one after the other; below the table it is said which.

    Args:
        screen: that it is for.
        title: of the table.
        heads: of the columns.
        rows: as many cells each.
        spare: heads of columns that can be done without.
        caption: stands below.
    """
    from rich import box
    from rich.table import Table

    left_out: list[str] = []
    places = list(range(len(heads)))
    layout = _fitting(screen.width, _sizes(heads, rows, places))
    while layout is None and len(left_out) < len(spare):
        left_out.append(spare[len(left_out)])
        places = [place for place in places if heads[place] not in left_out]
        layout = _fitting(screen.width, _sizes(heads, rows, places))
    if left_out:
        caption += f"{'; ' if caption else ''}too narrow for: {', '.join(left_out)}"
    layout = layout or _LAYOUTS[-1]
    table = Table(
        title=title,
        caption=caption or None,
        box=getattr(box, layout.box),
        padding=(0, layout.padding),
    )
    for place in places:
        how: Any = {"justify": "right", "no_wrap": True} if place else {"overflow": "fold"}
        table.add_column(heads[place], **how)
    for row in rows:
        table.add_row(*(row[place] for place in places))
    return table


def _sizes(heads: Sequence[str], rows: Sequence[Sequence[str]], places: Sequence[int]) -> list[int]:
    """The least width of each column: of its longest cell; of the first, word."""
    sizes = []
    for place in places:
        cells = [heads[place], *(row[place] for row in rows)]
        parts = cells if place else [word for cell in cells for word in cell.split()]
        sizes.append(max(map(len, parts), default=0))
    return sizes


def _fitting(width: int, sizes: Sequence[int]) -> _Layout | None:
    return next((layout for layout in _LAYOUTS if layout.width_of(sizes) <= width), None)
