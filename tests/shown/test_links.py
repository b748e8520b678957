"""Addresses lead to files beside the page, or to the web."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locvlm.shown.links import link_file, link_web


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_name_is_a_path_beside_the_page(name: str) -> None:
    link = link_file(name)
    parts = urlsplit(link)
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("", "", "", "")
    assert unquote(link).removeprefix(".") == name.removeprefix(".")
    assert not set(link) & set("\"'<>&\\ \n")


def test_files() -> None:
    assert link_file("a b", Path("c#1?100%.jpg")) == "a%20b/c%231%3F100%25.jpg"
    assert link_file("javascript:alert(1)") == "javascript%3Aalert%281%29"
    assert link_file(PurePosixPath("pictures/ü.jpg")) == "pictures/%C3%BC.jpg"
    assert link_file("b\udcff.jpg") == "b%FF.jpg"
    assert urljoin("http://here/a/page.html", link_file("//evil/x")).startswith("http://here/")


@pytest.mark.parametrize(
    "address",
    [
        *("javascript:alert(1)", "JavaScript:x", "data:text/html,x", "//x/y", "http:x"),
        *("file:///etc", "https://a/\x1b", ' https://a"', "https://[", "java\nscript:x", ""),
    ],
)
def test_no_other_addresses(address: str) -> None:
    assert link_web(address) == ""


def test_addresses_of_the_web() -> None:
    assert link_web("https://a.b/c?d=e#f") == "https://a.b/c?d=e#f"
