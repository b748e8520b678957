"""Puts locations into a text in which others stood, or `{loc}`: as what is around them asks for.

    inside JSON    {"bbox_2d": ▢, "label": "dog"}     the value alone; a dialect's key is renamed
    a labelled one <ref>dog</ref>▢, <point ▢ alt="…"> as the dialect writes a name and its place
    free text      It is at ▢.                        as the dialect writes a location

A dialect that writes no JSON gets its own words for an answer that was JSON, if that held places
and their labels alone; of an answer that held more, the JSON stays, with the place as a string.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from locvlm.coordinates.base import CoordinateFormat, Kind
from locvlm.coordinates.dialect import Form
from locvlm.coordinates.json_dialect import NATIVE_KEYS, JsonDialect, lead_of, squeeze
from locvlm.coordinates.masked_text import (
    MARK,
    SLOT,
    Key,
    Span,
    Surroundings,
    escape,
    find_named_marks,
    find_opening,
    in_object,
    is_json,
    stripped,
)
from locvlm.geometry import Box, Frame, Location, Size

Edit = tuple[int, int, str]

_S = f"{MARK}[0-9]+{MARK}"
_KEY = re.compile(r"""(\\*["']|)([A-Za-z_][\w -]{0,30})\1\s*:\s*\Z""")
_FENCE = re.compile(r"```(?:json)?\s*\Z")
_FENCE_END = re.compile(r"\s*```")
# A name and its places. The places may be parted by commas or the mark of Kosmos-2.
_PART = r"(?:\s*[,;]?\s*|</delimiter_of_multi_objects/>|<delim>)"
_NAMED = re.compile(
    r"(?:<ref>(?P<a>[^<>]*)</ref>|<\|object_ref_start\|>(?P<b>[^<>]*)<\|object_ref_end\|>"
    r"|<\|ref\|>(?P<c>[^<>]*)<\|/ref\|>|<phrase>(?P<d>[^<>]*)</phrase>|<p>(?P<e>[^<>]*)</p>)"
    rf"\s*(?P<places>{_S}(?:{_PART}{_S})*)"
    rf"|<points?\s+(?P<tagged>{_S}(?:\s+{_S})*)(?:\s+alt=\"(?P<f>[^\"<>]*)\")?\s*>"
    r"(?:[^<>]*</points?>)?"
    rf"|(?P<bare>{_S}(?:{_PART}{_S})+)"
)


class Place(NamedTuple):
    """One location, written."""

    text: str  # as the format writes it in free text
    kind: Kind
    bare: bool  # it stood in the text as a list without a key: it stays one


def rewrite(
    text: str, spans: Sequence[Span], places: Sequence[Place], target: CoordinateFormat
) -> list[Edit]:
    """What to change in `text`, in its order: each of `spans` becomes one of `places`."""
    if not spans:
        return []
    around = Surroundings.of(text, spans)
    writer = _Writer(around, places, target)
    done: set[int] = set()
    edits: list[Edit] = []
    for groups in (
        writer.json_values(),
        writer.listed(),
        writer.named(),
        writer.alone(),
    ):
        for numbers, changes in groups:
            if not done & numbers:
                done |= numbers
                edits += changes
    return sorted(edits)


def apply(text: str, edits: Sequence[Edit]) -> str:
    """The text with its edits made; they do not overlap and are in its order."""
    parts, done = [], 0
    for start, end, new in edits:
        parts += [text[done:start], new]
        done = end
    return "".join(parts) + text[done:]


def place_of(
    location: Location, target: CoordinateFormat, frame: Frame | Size, *, bare: bool = False
) -> Place:
    """A location as the target writes it. Raises InputError as `CoordinateFormat.encode`."""
    kind: Kind = "box" if isinstance(location, Box) else "point"
    return Place(target.encode(location, frame), kind, bare)


def stands_bare(source: CoordinateFormat, text: str, span: Span) -> bool:
    """Whether a location of a format with keys stands without one, as a list of numbers."""
    return isinstance(source, JsonDialect) and text[span[0]] in "[［【"


class _Writer:
    """The edits of one text, by the kinds of surroundings."""

    def __init__(self, around: Surroundings, places: Sequence[Place], target: CoordinateFormat):
        self.around = around
        self.places = places
        self.keys: Mapping[Kind, str] = getattr(target, "key_of", {})
        self.labelled: str = getattr(target, "labelled", "{label} {place}")
        self.joint: str = getattr(target, "joint", ", ")
        self.shared: str | None = getattr(target, "shared", None)
        self.form: Form | None = getattr(target, "box", None)
        self.tags = "<point " in places[0].text

    def json_values(self) -> Iterator[tuple[set[int], list[Edit]]]:
        """Of a dialect without JSON: answers that were JSON and held places and labels alone."""
        if self.keys or is_json(self.places[0].text):
            return
        quoted = SLOT.sub(lambda m: f'"{m[0]}"', self.around.masked)
        # A mark is quoted for the reading alone: two characters more for each before a place.
        place = 0
        while (start := find_opening(quoted, place)) is not None:
            try:
                value, end = json.JSONDecoder().raw_decode(quoted, start)
            except (ValueError, RecursionError):
                place = start + 1
                continue
            place = end
            plain = isinstance(value, list) and not any(isinstance(v, dict) for v in value)
            if plain and not (self.places[0].bare or (start, end) == stripped(quoted)):
                continue
            items = find_named_marks(value)
            if items and (numbers := {n for _, each in items for n in each}):
                a, b = (at - 2 * len(SLOT.findall(quoted[:at])) for at in (start, end))
                yield numbers, [self._whole_answer(a, b, items)]

    def _whole_answer(self, start: int, end: int, items: list[tuple[str, list[int]]]) -> Edit:
        masked = self.around.masked
        before, after = _FENCE.search(masked[:start]), _FENCE_END.match(masked, end)
        if before and after:
            start, end = before.start(), after.end()
        words = [self.name(label, number) for label, each in items for number in each]
        return (*self._span(start, end), self.joint.join(words))

    def listed(self) -> Iterator[tuple[set[int], list[Edit]]]:
        """A whole answer of PaliGemma or Florence-2, whose names have no marks."""
        first = self.around.text[slice(*self.around.spans[0])]
        items: list[tuple[str, list[int]]] = []
        masked = self.around.masked
        named = rf"(?:[^<>{MARK}]*[^<>{MARK}\s,:](?:{_S})+)+\s*"
        if first.startswith("<loc_") and re.fullmatch(named, masked):
            for label, places in re.findall(rf"([^{MARK}]*)((?:{_S})+)", masked):
                items.append((label.strip(), [int(n) for n in SLOT.findall(places)]))
        elif re.match("<loc[0-9]", first):
            parts = [
                re.fullmatch(rf"\s*{MARK}([0-9]+){MARK}([^{MARK}<>]*)", part)
                for part in masked.split(";")
            ]
            if not all(parts):
                return
            items = [(part[2].strip(), [int(part[1])]) for part in parts if part]
        names = [self.name(label, number) for label, each in items for number in each]
        if not names or _writes(self.places[0].text, first):
            return
        one = ", ".join(names) if self.keys else self.joint.join(names)
        new = f"[{one}]" if self.keys and len(names) > 1 else one
        yield {n for _, each in items for n in each}, [(0, len(self.around.text), new)]

    def named(self) -> Iterator[tuple[set[int], list[Edit]]]:
        """A name and its places, as another dialect marks them."""
        for match in _NAMED.finditer(self.around.masked):
            places = match["places"] or match["tagged"] or match["bare"]
            numbers = [int(number) for number in SLOT.findall(places)]
            if match["tagged"] and self.tags:
                yield set(numbers), [self._tagged(n, match[0], len(numbers)) for n in numbers]
                continue
            if match["bare"] and not self._are_one(match["bare"], numbers[0]):
                continue
            label = next((match[group] for group in "abcdef" if match[group] is not None), "")
            if match["f"]:
                label = html.unescape(label)
            if self.keys:
                words = ", ".join(self.name(label, number) for number in numbers)
                new = f"[{words}]" if len(numbers) > 1 else words
            elif label and self.joint != ", " and len(numbers) > 1 and not match["tagged"]:
                places = self._places_of_one(numbers)
                new = self.labelled.format(label=label, place=places)
            elif match["tagged"] or self.labelled not in ("{label} {place}",):
                new = self.joint.join(self.name(label, number) for number in numbers)
            else:
                continue
            yield set(numbers), [(*self._span(*match.span()), new)]

    def alone(self) -> Iterator[tuple[set[int], list[Edit]]]:
        """Each for itself: the value of a member, an item of a list, or in free text."""
        for number, (start, end) in enumerate(self.around.spans):
            place = self.places[number]
            key = self._key_before(number)
            if key is None and (lead := lead_of(self.around.text, (start, end))):
                if own := self.keys.get(place.kind):
                    lead = lead_of(self.around.text, (start, end), own)
                yield {number}, [(start, end, lead + self._value(place))]
                continue
            if key is None:
                yield {number}, [(start, end, _list_of(place) if place.bare else place.text)]
                continue
            edits: list[Edit] = []
            own = self.keys.get(place.kind, key.name)
            if own != key.name and squeeze(key.name) in NATIVE_KEYS | {"point"}:
                edits.append((*key.span, own))
            if self._is_quoted(start, end):
                if self.keys:
                    start, end = start - 1, end + 1
                    edits.append((start, end, _list_of(place)))
                else:
                    edits.append((start, end, json.dumps(place.text)[1:-1]))
            else:
                edits.append((start, end, escape(self._value(place), key.quote)))
            yield {number}, edits if self._is_first(number, key.span[1]) else edits[-1:]

    def name(self, label: str, number: int) -> str:
        """A location with its name, as the target writes it."""
        place = self.places[number]
        if self.keys:
            labelled = f', "label": {json.dumps(label, ensure_ascii=False)}' if label else ""
            return f'{{"{self.keys[place.kind]}": {_list_of(place)}{labelled}}}'
        if not label:
            return place.text
        if self.tags:
            said = html.escape(label)
            return re.sub(r'alt="[^"]*">[^<]*<', lambda _: f'alt="{said}">{said}<', place.text)
        return self.labelled.format(label=label, place=place.text)

    def _places_of_one(self, numbers: Sequence[int]) -> str:
        """Several places of one name: in the marks that they share, or each in its own."""
        texts = [self.places[number].text for number in numbers]
        form = self.form if len({self.places[number].kind for number in numbers}) == 1 else None
        if self.shared is None or form is None:
            return ", ".join(texts)
        bodies = [text.removeprefix(form.open).removesuffix(form.close) for text in texts]
        return form.open + self.shared.join(bodies) + form.close

    def _value(self, place: Place) -> str:
        """The location as a value in JSON."""
        text = _list_of(place)
        return text if self.keys or is_json(text) else json.dumps(text, ensure_ascii=False)

    def _tagged(self, number: int, tag: str, count: int) -> Edit:
        """A point inside a tag that stays."""
        x, y = re.findall(r'[xy]="([^"]*)"', self.places[number].text)[:2]
        start, end = self.around.spans[number]
        old = self.around.text[start:end]
        names = re.findall(r"\b([xy][0-9]*)\s*=", old) or [f"x{number + 1}", f"y{number + 1}"]
        if not old.startswith("x") and not tag.startswith("<points"):
            names = ["x", "y"]
        return (start, end, f'{names[0]}="{x}" {names[1]}="{y}"')

    def _key_before(self, number: int) -> Key | None:
        """The key whose value the location is, or is a part of."""
        masked, end = self.around.masked, self.around.offsets[number]
        head = masked[:end]
        while True:
            cut = head.rstrip()
            if cut.endswith(("[", '"')) and not cut.endswith(('":', "]")):
                inner = cut[:-1].rstrip()
                if cut.endswith('"') and not inner.endswith((":", "[", ",")):
                    break
                head = cut[:-1]
            elif cut.endswith(",") and re.search(rf'{_S}["\]\s]*,\Z', cut):
                before = re.search(rf'"?{_S}["\]\s]*,\Z', cut)
                assert before is not None
                head = cut[: before.start()]
            else:
                break
        match = _KEY.search(head, max(0, len(head) - 80))
        if match is None or not (match[1] or in_object(head)):
            return None
        return Key(match[2], self._span(match.start(2), match.end(2)), match[1])

    def _is_quoted(self, start: int, end: int) -> bool:
        text = self.around.text
        return text[start - 1 : start] == '"' and text[end : end + 1] == '"'

    def _are_one(self, run: str, first: int) -> bool:
        """Whether a run of places is one list: nothing between them, or marks that they share."""
        if not self.keys or self.places[first].bare:
            return False
        text = self.around.text[slice(*self.around.spans[first])]
        return not SLOT.sub("", run) or text.count("[") != text.count("]")

    def _is_first(self, number: int, end: int) -> bool:
        """Whether the location is the first one of a key that ends at `end`."""
        return all(span[0] < end for span in self.around.spans[:number])

    def _span(self, start: int, end: int) -> Span:
        return self.around.original(start), self.around.original(end)


def _writes(new: str, old: str) -> bool:
    """Whether both are of PaliGemma, or both of Florence-2."""
    return new.startswith("<loc") and ("_" in new) == ("_" in old)


def _list_of(place: Place) -> str:
    """The list in the text of a dialect that writes JSON; of others the whole text."""
    found = re.search(r"\[[^\[\]{}]*\]", place.text) if place.text.startswith("{") else None
    return found[0] if found else place.text
