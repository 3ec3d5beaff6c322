"""Texts with values: checked when they are declared, rendered within bounds.

`template_grammar` lets through values, filters and choices only; Jinja's sandbox renders what it let through,
so that a hole in either does not open the other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, Undefined, UndefinedError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from services.campaign.domain import template_values
from services.campaign.domain.template_grammar import Reading, TemplateError, read
from services.campaign.domain.template_values import Language, Value

MAX_SOURCE = 10_000
MAX_VALUE = 500
MAX_RENDERED = 30_000


class RenderError(ValueError):
    """A text cannot be shown with these values. Names the value, never what it is."""


@dataclass(frozen=True)
class Declared:
    """A text that passed the check."""

    source: str
    html: bool
    reading: Reading

    @property
    def variables(self) -> list[str]:
        return sorted(self.reading.named)


def declare(source: str, *, html: bool = False) -> Declared:
    """TemplateError says what is wrong, in which line, at which position."""
    if len(source) > MAX_SOURCE:
        raise TemplateError(f"a text has {MAX_SOURCE} characters at most", source, MAX_SOURCE)
    if "\x00" in source or "\r" in source:
        mark = max(source.find("\x00"), source.find("\r"))
        raise TemplateError("control characters are not available in texts", source, mark)
    declared = Declared(source, html, read(source))
    try:
        _compiled(source, "zh", html)
    except TemplateSyntaxError as error:
        offset = sum(len(line) + 1 for line in source.split("\n")[: error.lineno - 1])
        raise TemplateError(error.message or "not a text", source, offset) from None
    return declared


def render(declared: Declared, language: Language, values: Mapping[str, Value]) -> str:
    """The text with its values; `values` by name, unknown ones left out."""
    named: dict[str, Any] = {}
    for name in declared.reading.named:
        if name in values:
            _put(named, name, _bounded(name, values[name]))
    try:
        text = _compiled(declared.source, language, declared.html).render(named)
    except UndefinedError:
        absent = ", ".join(name for name in declared.variables if name not in values)
        raise RenderError(f"a value is not known: {absent}") from None
    except (SecurityError, TypeError, ArithmeticError) as error:
        raise RenderError(f"the text cannot be shown: {type(error).__name__}") from None
    if len(text) > MAX_RENDERED:
        raise RenderError(f"the text grew beyond {MAX_RENDERED} characters")
    return text


def _bounded(name: str, value: Value) -> Value:
    if len(str(value)) > MAX_VALUE:
        raise RenderError(f"the value {name} has more than {MAX_VALUE} characters")
    return value


def _put(named: dict[str, Any], name: str, value: Value) -> None:
    first, _, rest = name.partition(".")
    if rest:
        named.setdefault(first, {})[rest] = value
    else:
        named[first] = value


@lru_cache(maxsize=1024)
def _compiled(source: str, language: Language, html: bool) -> Template:  # noqa: FBT001 - a cache key
    return _environment(language, html).from_string(source)


@lru_cache
def _environment(language: Language, html: bool) -> ImmutableSandboxedEnvironment:  # noqa: FBT001
    environment = ImmutableSandboxedEnvironment(
        undefined=_Missing, autoescape=html, keep_trailing_newline=True, cache_size=0
    )
    environment.globals.clear()
    environment.tests = {"defined": lambda value: not isinstance(value, Undefined)}
    environment.filters = {
        "money": _written(Decimal, template_values.money, language),
        "percent": _written(Decimal, template_values.percent, language),
        "date": _written(date, template_values.day, language),
        "default": _default,
    }
    return environment


class _Missing(StrictUndefined):
    """A value that is not known: saying it or asking about it is an error, filters pass it on to `default`.

    A whole group may be missing: `offer.minimum is defined` is false then, as if the field alone were.
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Missing(name=name)

    def __getitem__(self, name: Any) -> Any:
        return _Missing(name=str(name))


def _written(
    kind: type[Any], write: Callable[[Any, Language], str], language: Language
) -> Callable[[Any], Any]:
    return lambda value: write(value, language) if isinstance(value, kind) else value


def _default(value: Any, text: str) -> Any:
    return text if isinstance(value, Undefined) else value
