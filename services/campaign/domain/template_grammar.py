"""The grammar of texts: plain words, values with filters, and choices between texts. Nothing else.

Jinja's own lexer cuts the text into tokens; here every token must have its place. What passes has no loop, no
call, no assignment, no attribute but those of the list of values, so rendering it takes time and room that
grow with its length alone.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import TypeAlias

from jinja2 import Environment, TemplateSyntaxError

from services.campaign.domain.template_values import FILTER_OF, VARIABLES, Kind

MAX_TAGS = 120
MAX_TAG_TOKENS = 40
MAX_DEPTH = 4
MAX_VARIANTS = 32
_FILTERS = frozenset({"money", "percent", "date", "default"})
_CONTROL = re.compile(r"\{[%{][-+]|[-+][%}]\}")
_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
_BLOCKS = ("if", "elif", "else", "endif")
_LEXER = Environment(autoescape=True).lexer


class TemplateError(ValueError):
    """What is wrong with a text, and where: line and position count from 1."""

    def __init__(self, detail: str, source: str, offset: int) -> None:
        self.line = source.count("\n", 0, offset) + 1
        self.position = offset - source.rfind("\n", 0, offset)
        super().__init__(f"line {self.line}, position {self.position}: {detail}")


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    offset: int


@dataclass(frozen=True)
class Words:
    """Text as it is written, at its place in the source."""

    text: str
    offset: int


@dataclass(frozen=True)
class Slot:
    """A value; `fallback` is what is said without it."""

    name: str
    offset: int
    fallback: Words | None


@dataclass(frozen=True)
class Choice:
    """One of several texts; the last is empty where there is no `else`."""

    branches: list[list["Node"]]


Node: TypeAlias = Words | Slot | Choice


@dataclass
class Reading:
    """What a text is made of."""

    nodes: list[Node]
    named: dict[str, int] = field(default_factory=dict)
    """Value → where it is first named."""


def read(source: str) -> Reading:
    """TemplateError says what has no place in a text, and where."""
    control = _CONTROL.search(source)
    if control:
        raise TemplateError("whitespace control is not available in texts", source, control.start())
    return _Reader(source).read()


def variants(nodes: list[Node]) -> Iterator[list[Words | Slot]]:
    """Every text that may come of it, choice by choice; at most MAX_VARIANTS by construction."""
    parts = [
        [text for branch in node.branches for text in variants(branch)]
        if isinstance(node, Choice)
        else [[node]]
        for node in nodes
    ]
    for combination in product(*parts):
        yield [piece for part in combination for piece in part]


def count_variants(nodes: list[Node]) -> int:
    total = 1
    for node in nodes:
        if isinstance(node, Choice):
            total *= sum(count_variants(branch) for branch in node.branches)
    return total


def _tokens(source: str) -> Iterator[Token]:
    end = 0
    try:
        for _, kind, text in _LEXER.tokeniter(source, None):
            start = source.index(text, end)
            end = start + len(text)
            if kind != "whitespace":
                yield Token(kind, text, start)
    except TemplateSyntaxError as error:
        raise TemplateError(error.message or "not a text", source, min(end, len(source) - 1)) from None


class _Reader:
    def __init__(self, source: str) -> None:
        self._source = source
        self._reading = Reading([])
        self._open: list[tuple[int, list[Node], Choice, bool]] = []
        """Choices being read: where they began, the text around them, the choice, whether `else` came."""
        self._into = self._reading.nodes
        self._tags = 0

    def read(self) -> Reading:
        tokens = _tokens(self._source)
        for token in tokens:
            if token.kind == "data":
                self._into.append(Words(token.text, token.offset))
            elif token.kind == "variable_begin":
                self._slot(_Tag(self, token, self._inside(tokens, token)))
            elif token.kind == "block_begin":
                self._block(_Tag(self, token, self._inside(tokens, token)))
            else:
                raise self.error(f"{token.text.strip()} is not available in texts", token.offset)
        if self._open:
            raise self.error("this choice has no endif", self._open[-1][0])
        if count_variants(self._reading.nodes) > MAX_VARIANTS:
            raise self.error(f"the choices make more than {MAX_VARIANTS} different texts", 0)
        return self._reading

    def error(self, detail: str, offset: int) -> TemplateError:
        return TemplateError(detail, self._source, offset)

    def name(self, name: str, offset: int) -> None:
        self._reading.named.setdefault(name, offset)

    def _inside(self, tokens: Iterator[Token], begin: Token) -> list[Token]:
        self._tags += 1
        if self._tags > MAX_TAGS:
            raise self.error(f"more than {MAX_TAGS} values and choices", begin.offset)
        found: list[Token] = []
        for token in tokens:
            if token.kind in {"variable_end", "block_end"}:
                return found
            found.append(token)
            if len(found) > MAX_TAG_TOKENS:
                raise self.error("is too long", begin.offset)
        raise self.error("is not closed", begin.offset)

    def _slot(self, tag: "_Tag") -> None:
        self._into.append(tag.slot())

    def _block(self, tag: "_Tag") -> None:
        word = tag.take("name", "if, elif, else or endif")
        if word.text not in _BLOCKS:
            raise self.error(
                f"{word.text} is not available in texts; only if, elif, else, endif", word.offset
            )
        if word.text in {"if", "elif"}:
            tag.condition()
        tag.end()
        if word.text == "if":
            self._begin(word)
        elif not self._open:
            raise self.error(f"{word.text} without if", word.offset)
        elif word.text == "endif":
            self._end()
        else:
            self._branch(word)

    def _begin(self, word: Token) -> None:
        if len(self._open) == MAX_DEPTH:
            raise self.error(f"choices within choices go {MAX_DEPTH} deep at most", word.offset)
        choice = Choice([[]])
        self._into.append(choice)
        self._open.append((word.offset, self._into, choice, False))
        self._into = choice.branches[-1]

    def _branch(self, word: Token) -> None:
        start, around, choice, otherwise = self._open.pop()
        if otherwise:
            raise self.error(f"{word.text} after else", word.offset)
        choice.branches.append([])
        self._into = choice.branches[-1]
        self._open.append((start, around, choice, word.text == "else"))

    def _end(self) -> None:
        _, self._into, choice, otherwise = self._open.pop()
        if not otherwise:
            choice.branches.append([])


class _Tag:
    """The tokens between the brackets of one value or block, read from left to right."""

    def __init__(self, reader: _Reader, begin: Token, tokens: list[Token]) -> None:
        self._reader = reader
        self._begin = begin
        self._tokens = tokens
        self._at = 0

    def slot(self) -> Slot:
        name, kind = self._path()
        start = self._tokens[0].offset
        filters: set[str] = set()
        fallback: Words | None = None
        while self._skip("|"):
            word = self.take("name", "a filter")
            if word.text not in _FILTERS or word.text in filters:
                raise self._error(f"filter {word.text} is not available here", word)
            if word.text == "default":
                fallback = self._argument()
            elif FILTER_OF.get(kind) != word.text:
                raise self._error(f"{word.text} does not fit {name}, which is a {kind}", word)
            filters.add(word.text)
        self.end()
        needed = FILTER_OF.get(kind)
        if needed and needed not in filters:
            raise self._reader.error(f"{name} is written with the filter {needed}", start)
        return Slot(name, start, fallback)

    def condition(self) -> None:
        """`[not] value [comparison value | is [not] defined]`, joined by `and` and `or`."""
        while True:
            self._skip("not")
            self._comparison()
            if not (self._skip("and") or self._skip("or")):
                return

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise self._error(f"{self._tokens[self._at].text} has no place here", self._tokens[self._at])

    def take(self, kind: str, wanted: str) -> Token:
        token = self._peek()
        if token is None or token.kind != kind:
            raise self._error(f"{wanted} is expected", token)
        self._at += 1
        return token

    def _comparison(self) -> None:
        name, kind = self._path()
        if self._skip("is"):
            self._skip("not")
            word = self.take("name", "defined")
            if word.text != "defined":
                raise self._error(f"test {word.text} is not available; only defined", word)
            return
        operator = self._peek()
        if operator is None or operator.text not in _COMPARISONS:
            return
        self._at += 1
        literal = self._peek()
        wanted = ("string",) if kind == "text" else ("integer", "float")
        if literal is None or literal.kind not in wanted or kind == "date":
            raise self._error(f"{name} is a {kind} and compares with nothing like that", literal)
        self._at += 1

    def _path(self) -> tuple[str, Kind]:
        first = self.take("name", "a value")
        name = first.text
        while self._skip("."):
            name += f".{self.take('name', 'a field').text}"
        if name not in VARIABLES:
            raise self._error(f"there is no value {name}", first)
        self._reader.name(name, first.offset)
        return name, VARIABLES[name].kind

    def _argument(self) -> Words:
        if not self._skip("("):
            raise self._error("default needs a text: default('…')", self._peek())
        text = self.take("string", "a text in quotes")
        if "\\" in text.text:
            raise self._error("backslashes are not available in texts", text)
        if not self._skip(")"):
            raise self._error(") is expected", self._peek())
        return Words(text.text[1:-1], text.offset + 1)

    def _peek(self) -> Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _skip(self, text: str) -> bool:
        token = self._peek()
        if token is None or token.text != text or token.kind not in {"name", "operator"}:
            return False
        self._at += 1
        return True

    def _error(self, detail: str, token: Token | None) -> TemplateError:
        last = self._tokens[-1] if self._tokens else self._begin
        return self._reader.error(detail, token.offset if token else last.offset)
