"""What materials must be: HTML of a few harmless tags, short messages that are short."""

import json
from hashlib import sha256
from html.parser import HTMLParser
from math import ceil
from typing import Literal

from services.campaign.domain.template_grammar import TemplateError
from shared.contracts.campaign.materials import MaterialWrite, SmsLength

MAX_SEGMENTS = 10
_TAGS = frozenset(
    {"p", "br", "hr", "h1", "h2", "h3", "b", "strong", "i", "em", "u", "s", "small", "sub", "sup", "a"}
    | {"blockquote", "ul", "ol", "li", "div", "span", "table", "thead", "tbody", "tr", "th", "td"}
)
_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENDED = frozenset("^{}\\[~]|€\f")
_UNITS: dict[Literal["gsm7", "ucs2"], tuple[int, int]] = {"gsm7": (160, 153), "ucs2": (70, 67)}
"""What one message holds alone, and what each of several holds beside its header."""


def sms_length(text: str) -> SmsLength:
    """By 3GPP TS 23.038 and 23.040."""
    plain = all(character in _GSM or character in _GSM_EXTENDED for character in text)
    encoding: Literal["gsm7", "ucs2"] = "gsm7" if plain else "ucs2"
    units = (
        sum(2 if character in _GSM_EXTENDED else 1 for character in text)
        if plain
        else len(text.encode("utf-16-le", "surrogatepass")) // 2
    )
    alone, each = _UNITS[encoding]
    return SmsLength(encoding=encoding, units=units, segments=1 if units <= alone else ceil(units / each))


def require_harmless(source: str) -> None:
    """TemplateError names the first tag or attribute that a page of ours does not have."""
    _Page(source).check()


def fingerprint(material: MaterialWrite) -> tuple[str, int]:
    """SHA-256 (hex) and bytes: of the file, or of the body's canonical JSON and its texts."""
    if material.file is not None:
        return material.file.sha256, material.file.size
    if material.body is None:
        raise ValueError("a material is a file or has a body")
    body = material.body.model_dump()
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(canonical.encode()).hexdigest(), sum(len(text.encode()) for text in body.values())


class _Page(HTMLParser):
    """Values may stand between tags only: escaping protects nothing inside of one."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=False)
        self._source = source

    def check(self) -> None:
        self.feed(self._source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        written = self.get_starttag_text() or ""
        if "{" in written or "}" in written:
            raise self._refused("a value cannot stand inside a tag")
        if tag not in _TAGS:
            raise self._refused(f"<{tag}> is not available")
        for name, value in attrs:
            if (tag, name) != ("a", "href"):
                raise self._refused(f"attribute {name} of <{tag}> is not available")
            if not (value or "").startswith("https://"):
                raise self._refused("a link leads to https://")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _TAGS:
            raise self._refused(f"</{tag}> is not available")

    def handle_data(self, data: str) -> None:
        if "<" in data:
            raise self._refused("write &lt; for <")

    def handle_comment(self, data: str) -> None:  # noqa: ARG002 - the parser's own signature
        raise self._refused("comments are not available")

    def handle_decl(self, decl: str) -> None:  # noqa: ARG002
        raise self._refused("declarations are not available")

    def handle_pi(self, data: str) -> None:  # noqa: ARG002
        raise self._refused("processing instructions are not available")

    def unknown_decl(self, data: str) -> None:  # noqa: ARG002
        raise self._refused("declarations are not available")

    def _refused(self, detail: str) -> TemplateError:
        line, column = self.getpos()
        before = self._source.split("\n")[: line - 1]
        return TemplateError(detail, self._source, sum(len(each) + 1 for each in before) + column)
