"""Both languages say everything, and nothing that no page says."""

import ast
import re
import string
from pathlib import Path

import pytest

from services.console.i18n import LANGUAGES, Language, Texts, catalogue

CONSOLE = Path(__file__).parents[2] / "services" / "console"
# `t(f"fix.{name}")` and `t.word("state", code)` take any key that begins so.
PREFIX = re.compile(r"^[a-z_]+(\.[a-z_]+)*\.$")


def calls() -> list[ast.Call]:
    trees = [ast.parse(file.read_text("utf-8")) for file in CONSOLE.rglob("*.py")]
    return [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]


def literals() -> set[str]:
    """Every string constant of the console: keys also stand in tables and in `title="board.title"`."""
    trees = [ast.parse(file.read_text("utf-8")) for file in CONSOLE.rglob("*.py")]
    return {
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def first_argument(call: ast.Call) -> str | None:
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None


def called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def words() -> set[str]:
    return {text for call in calls() if called(call) == "word" and (text := first_argument(call))}


def direct_keys() -> set[str]:
    return {text for call in calls() if called(call) == "t" and (text := first_argument(call))}


def test_both_languages_have_the_same_keys() -> None:
    zh, en = (catalogue(language) for language in LANGUAGES)
    assert zh.keys() == en.keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty(language: Language) -> None:
    assert [key for key, text in catalogue(language).items() if not text.strip()] == []


def test_placeholders_are_the_same_in_both_languages() -> None:
    def fields(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    zh, en = (catalogue(language) for language in LANGUAGES)
    assert [key for key in zh if fields(zh[key]) != fields(en[key])] == []


def test_every_key_a_page_asks_for_exists() -> None:
    assert direct_keys() - catalogue("zh").keys() == set()
    assert all(any(key.startswith(f"{group}.") for key in catalogue("zh")) for group in words())


def test_every_text_is_used() -> None:
    constants = literals()
    prefixes = tuple({f"{group}." for group in words()} | {text for text in constants if PREFIX.match(text)})
    assert [key for key in catalogue("zh") if key not in constants and not key.startswith(prefixes)] == []


def test_english_texts_hold_no_chinese() -> None:
    assert [key for key, text in catalogue("en").items() if re.search(r"[一-鿿]", text)] == []


def test_unknown_codes_are_shown_as_they_are() -> None:
    assert Texts("zh").word("state", "something_new") == "something_new"
