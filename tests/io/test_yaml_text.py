"""Keys that are there twice."""

import pytest
import yaml

from locvlm.io.yaml_text import UniqueKeyLoader


def test_a_key_that_is_there_twice_is_refused_with_its_lines() -> None:
    text = "a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n"
    with pytest.raises(yaml.YAMLError, match=r"line 5: the key 'c' is there already \(line 3\)"):
        yaml.load(text, UniqueKeyLoader)
    with pytest.raises(yaml.YAMLError, match=r"line 1: the key 1 .*\(same line\)"):
        yaml.load("[{1: a, 0x1: b}]", UniqueKeyLoader)


def test_all_else_is_as_ever() -> None:
    text = "base: &base {a: 1, b: 2}\nown:\n  <<: *base\n  a: 3\nlist: [{a: 1}, {a: 2}]\n"
    assert yaml.load(text, UniqueKeyLoader) == yaml.safe_load(text)
