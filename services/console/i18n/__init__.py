"""Texts of the console. `zh.json` and `en.json` hold the same keys; a test keeps them complete."""

import json
from functools import cache
from pathlib import Path
from typing import Literal, Protocol, cast

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")
DEFAULT: Language = "zh"


class Bilingual(Protocol):
    """A text that carries both languages, such as `LocalText` of the contracts."""

    @property
    def zh(self) -> str: ...

    @property
    def en(self) -> str: ...


class Texts:
    """`t("board.title")` in one language; `t.local(campaign.name)` picks from a bilingual value."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._texts = catalogue(language)

    def __call__(self, key: str, **values: object) -> str:
        text = self._texts[key]
        return text.format(**values) if values else text

    def word(self, group: str, value: str) -> str:
        """The word for a coded value, `word("state", "paused")`; the code itself for one unknown here."""
        return self._texts.get(f"{group}.{value}", value)

    def local(self, text: Bilingual) -> str:
        return text.zh if self.language == "zh" else text.en


@cache
def catalogue(language: Language) -> dict[str, str]:
    path = Path(__file__).with_name(f"{language}.json")
    return cast("dict[str, str]", json.loads(path.read_text(encoding="utf-8")))
