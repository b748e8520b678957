"""Templates of one's own, from a YAML file.

    locpred:
      prompts: ["Where is the {category}? Answer with {repr}."]
      answers: ["At {loc}."]
    presence:
      absent: ["No."]

One is drawn for each question. What a file does not give stays as it is; negpred asks with the
prompts of locpred unless it has its own, so that the prompt gives nothing away.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import yaml

from locvlm.errors import InputError
from locvlm.io.reading import one_line
from locvlm.io.yaml_text import UniqueKeyLoader

_PLACE = re.compile(r"\{\w*\}")
_SIDE = re.compile(r"\b(left|right)\b", re.IGNORECASE)


@dataclass(frozen=True)
class TemplateRule:
    """Which places the templates of a part have, such as ``{loc}``."""

    required: tuple[str, ...] = ()  # each exactly once
    optional: tuple[str, ...] = ()


Rules: TypeAlias = Mapping[str, Mapping[str, TemplateRule]]  # by objective and part


@dataclass(frozen=True)
class Templates:
    """What a file gives, by objective and part ("prompts", "answers", "absent")."""

    by_objective: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)

    def of(self, objective: str, part: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """The templates of a part, those of the file where it has any."""
        return self.by_objective.get(objective, {}).get(part) or default


def draw_template(templates: tuple[str, ...], rng: random.Random) -> str:
    """One of them; where there is but one, nothing is drawn."""
    return templates[0] if len(templates) == 1 else rng.choice(templates)


def read_templates(path: Path, rules: Rules) -> Templates:
    """The templates of a file, checked by the rules of the objectives.

    Raises:
        InputError: the file cannot be read, an objective or a part of it has no templates, or a
            template lacks a place, has one that is never filled, or names a side, which would be
            swapped where training shows the mirrored picture.
    """
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), UniqueKeyLoader)
        by_objective = msgspec.convert(tree, dict[str, dict[str, Any]])
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except (yaml.YAMLError, UnicodeDecodeError, msgspec.ValidationError) as error:
        reason = one_line(str(error))
        raise InputError(f"{path}: not a file of templates: {reason}") from None
    return Templates(
        {
            objective: {
                part: _check_texts(path, rules, objective, part, texts)
                for part, texts in parts.items()
            }
            for objective, parts in by_objective.items()
        }
    )


def _check_texts(
    path: Path, rules: Rules, objective: str, part: str, value: Any
) -> tuple[str, ...]:
    texts = value if isinstance(value, list) else [value]
    if objective not in rules:
        raise InputError(
            f"{path}: {objective} has no templates; those that have: {', '.join(rules)}"
        )
    parts = rules[objective]
    if part not in parts:
        raise InputError(f"{path}: {objective} has no {part!r}; it has: {', '.join(parts)}")
    if not texts:
        raise InputError(f"{path}: {objective}.{part} is empty; give a template or leave it out")
    for number, text in enumerate(texts):
        if reason := _find_fault(text, parts[part]):
            raise InputError(f"{path}: {objective}.{part}[{number}] {reason}: {text!r}")
    return tuple(texts)


def _find_fault(text: Any, rule: TemplateRule) -> str:
    """What is wrong with a template; empty where nothing is."""
    if not isinstance(text, str):
        return "is no text"
    if not text.strip():
        return "is empty"
    for place in rule.required:
        if text.count(place) != 1:
            return f"must have {place} once"
    for place in _PLACE.findall(text):
        if place not in rule.required + rule.optional:
            return f"has {place}, which is not filled here"
    if set("{}") & set(_PLACE.sub("", text)):
        return "has a single brace"
    if side := _SIDE.search(text):
        return f"says {side[0]!r}, which a mirrored picture would swap"
    return ""
