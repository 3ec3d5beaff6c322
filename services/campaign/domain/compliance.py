"""Words that may not be said, found however they are written.

Text and words are folded alike: compatibility forms (full width, ligatures) become plain ones, case and
accents go, spaces, invisible characters and joining marks are dropped. Every folded character remembers where
it stood, so a hit names its place in the text as it was written.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import unescape
from itertools import pairwise
from typing import TypeAlias

from services.campaign.domain.template_grammar import Slot, Words, read, variants
from shared.contracts.campaign.compliance import (
    ComplianceHit,
    ComplianceListView,
    ComplianceWord,
    WordingChannel,
)
from shared.errors import FieldError

GAP = 12
"""Folded characters that `*` may stand for."""
MAX_HITS = 100
"""Of one text; who writes more of them rewrites the text anyway."""
_BREAK = "\n"
"""Stands for a value in the folded text: no word goes across it."""
_DROPPED = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Mn", "Me", "Pd", "Pc"})
_MARKUP = re.compile(r"<[^<>]*>|&(?:#\w+|\w+);?")
_JOINING = frozenset("·•・*~^|/\\'`")


@dataclass(frozen=True)
class Folded:
    text: str
    places: Sequence[tuple[int, int]]
    """Of each folded character: its first character in the text as written, and one after its last."""


Piece: TypeAlias = tuple[str, int, int]
"""What is said, and where in the source that begins and ends; nothing said is a break."""


def fold(pieces: Iterable[Piece]) -> Folded:
    text: list[str] = []
    places: list[tuple[int, int]] = []
    for said, start, end in pieces:
        # A mark such as `&#20445;` says one character with many.
        as_written = len(said) == end - start
        for index, character in enumerate(said or _BREAK):
            plain = _plain(character) if said else _BREAK
            text += plain
            place = (start + index, start + index + 1) if as_written else (start, end)
            places += [place] * len(plain)
    return Folded("".join(text), places)


@lru_cache(maxsize=20_000)
def fold_word(pattern: str) -> tuple[str, ...]:
    """The parts of a pattern between its `*`."""
    parts = (fold([(part, 0, len(part))]).text for part in pattern.split("*") if part)
    return tuple(part for part in parts if part)


def too_short(words: Sequence[ComplianceWord]) -> list[FieldError]:
    """Patterns of which too little is left to look for."""
    return [
        FieldError(f"/words/{index}/pattern", "two letters or characters at least, besides spaces and marks")
        for index, word in enumerate(words)
        if sum(map(len, fold_word(word.pattern))) < 2
    ]


@dataclass(frozen=True)
class Text:
    """One text of a script or material, as it is written."""

    pointer: str
    source: str
    template: bool = True
    html: bool = False


@dataclass(frozen=True)
class Wording:
    """What is checked together: the texts of one version, and what they are for."""

    texts: Sequence[Text]
    channel: WordingChannel
    products: Sequence[str]


def check(wording: Wording, lists: Iterable[ComplianceListView]) -> list[ComplianceHit]:
    """Every hit of every list that applies, in the order of the texts."""
    index = _index(each for each in lists if _applies(each, wording))
    return [hit for text in wording.texts for hit in _in_text(text, index)]


def refusals(hits: Iterable[ComplianceHit]) -> list[FieldError]:
    return [
        FieldError(
            hit.pointer,
            f"characters {hit.start + 1} to {hit.end}: “{hit.found}” is refused by"
            f" {hit.list}@{hit.list_version} ({hit.pattern}){f': {hit.advice}' if hit.advice else ''}",
        )
        for hit in hits
        if hit.severity == "refuse"
    ]


def _applies(each: ComplianceListView, wording: Wording) -> bool:
    """A text for no product in particular may be used for any, so every list of products concerns it."""
    return (not each.channels or wording.channel in each.channels) and (
        not each.products or not wording.products or not set(each.products).isdisjoint(wording.products)
    )


Index: TypeAlias = Mapping[str, Sequence[tuple[ComplianceWord, ComplianceListView]]]
"""Words by their first two folded characters: a text is asked only for those it can hold."""


def _index(lists: Iterable[ComplianceListView]) -> Index:
    index: dict[str, list[tuple[ComplianceWord, ComplianceListView]]] = {}
    for each in lists:
        for word in each.words:
            index.setdefault(fold_word(word.pattern)[0][:2], []).append((word, each))
    return index


def _in_text(text: Text, index: Index) -> list[ComplianceHit]:
    hits: dict[tuple[int, int, str, str], ComplianceHit] = {}
    for reading in _readings(text):
        grams = {first + second for first, second in pairwise(reading.text)} | set(reading.text)
        for word, each in (known for gram in index.keys() & grams for known in index[gram]):
            for start, end in _places(reading, fold_word(word.pattern)):
                hits[start, end, word.pattern, each.key] = _hit(text, start, end, word, each)
    return sorted(hits.values(), key=lambda hit: (hit.start, hit.end, hit.list, hit.pattern))[:MAX_HITS]


def _hit(text: Text, start: int, end: int, word: ComplianceWord, each: ComplianceListView) -> ComplianceHit:
    return ComplianceHit(
        pointer=text.pointer,
        start=start,
        end=end,
        found=text.source[start:end],
        pattern=word.pattern,
        severity=word.severity,
        list=each.key,
        list_version=each.version,
        advice=word.advice,
    )


def _readings(text: Text) -> list[Folded]:
    """Every text that may come of it: a choice cannot hide half a word in each branch."""
    nodes = variants(read(text.source).nodes) if text.template else [[Words(text.source, 0)]]
    split = _shown if text.html else _written
    folded: dict[int, Folded] = {}
    readings: dict[str, Folded] = {}
    for pieces in nodes:
        for piece in pieces:
            if piece.offset not in folded:
                folded[piece.offset] = fold(_pieces(piece, split))
        parts = [folded[piece.offset] for piece in pieces]
        whole = "".join(part.text for part in parts)
        readings.setdefault(whole, Folded(whole, [place for part in parts for place in part.places]))
    return list(readings.values())


def _pieces(node: Words | Slot, split: Callable[[Words], Iterable[Piece]]) -> Iterable[Piece]:
    if isinstance(node, Words):
        return split(node)
    if node.fallback is None:
        return [("", node.offset, node.offset)]
    return _written(node.fallback)


def _written(words: Words) -> Iterable[Piece]:
    return [(words.text, words.offset, words.offset + len(words.text))] if words.text else []


def _shown(words: Words) -> Iterator[Piece]:
    """What a reader of the page sees: no tags, and characters for their marks."""
    at = 0
    for mark in _MARKUP.finditer(words.text):
        yield from _written(Words(words.text[at : mark.start()], words.offset + at))
        if mark[0].startswith("&"):
            yield unescape(mark[0]), words.offset + mark.start(), words.offset + mark.end()
        at = mark.end()
    yield from _written(Words(words.text[at:], words.offset + at))


@lru_cache(maxsize=20_000)
def _plain(character: str) -> str:
    """Nothing for what is dropped."""
    if character in _JOINING or unicodedata.category(character) in _DROPPED:
        return ""
    decomposed = unicodedata.normalize("NFKD", character).casefold()
    return "".join(
        each for each in decomposed if each not in _JOINING and unicodedata.category(each) not in _DROPPED
    )


def _places(folded: Folded, parts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Start and end in the text as written; overlapping ones too."""
    first = folded.text.find(parts[0])
    while first >= 0:
        end = _end_of(folded.text, first, parts)
        if end is not None and _whole(folded, first, end):
            yield folded.places[first][0], folded.places[end - 1][1]
        first = folded.text.find(parts[0], first + 1)


def _end_of(text: str, first: int, parts: Sequence[str]) -> int | None:
    end = first + len(parts[0])
    for part in parts[1:]:
        reach = text.find(_BREAK, end)
        limit = min(end + GAP + len(part), len(text) if reach < 0 else reach)
        next_ = text.find(part, end, limit)
        if next_ < 0:
            return None
        end = next_ + len(part)
    return end


def _whole(folded: Folded, first: int, end: int) -> bool:
    """Latin words are found whole: not as a part of a longer one that is written in one piece."""
    return not (_goes_on(folded, first - 1, first) or _goes_on(folded, end - 1, end))


def _goes_on(folded: Folded, left: int, right: int) -> bool:
    if left < 0 or right >= len(folded.text):
        return False
    latin = all(folded.text[at].isascii() and folded.text[at].isalnum() for at in (left, right))
    return latin and folded.places[right][0] <= folded.places[left][1]
