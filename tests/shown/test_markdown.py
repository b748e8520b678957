"""Text in Markdown is text."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from locvlm.shown.markdown import escape_markdown, format_rows, mark_code


def test_marks_stand_for_themselves() -> None:
    assert escape_markdown("a | b\n# c <script> [x](y) `z` ~~w~~ &lt; Q & A") == (
        r"a \| b \# c \<script\> \[x\](y) \`z\` \~\~w\~\~ \&lt; Q & A"
    )
    assert escape_markdown("a_b_c, B 2 [1], [17]") == "a_b_c, B 2 [1], [17]"
    assert escape_markdown("_a_ [1](x) [1][2] [1]: x") == (r"\_a\_ \[1\](x) \[1\][2] \[1\]: x")
    assert escape_markdown("\x1b[2J") == r"\\x1b\[2J"
    assert len(escape_markdown("x" * 10**6)) <= 2000


def test_code() -> None:
    assert mark_code("a_b") == "`a_b`"
    assert mark_code("a`b|c\nd") == r"``a`b\|c d``"
    assert mark_code("`") == "`` ` ``"


@given(st.text(st.characters()), st.text(st.characters()))
def test_any_cells_are_one_row(one: str, other: str) -> None:
    table = format_rows(("a", "b"), [(escape_markdown(one), mark_code(other))])
    lines = table.splitlines()
    assert lines[:2] == ["| a | b |", "| --- | --- |"]
    assert len(lines) == 3
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", escape_markdown(one))) == 0
