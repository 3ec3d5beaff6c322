"""Words that may not be said, scripts as graphs, and what materials must be."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.campaign.domain.compliance import Text, Wording, check, refusals, too_short
from services.campaign.domain.materials import require_harmless, sms_length
from services.campaign.domain.script_graph import departures, faults
from services.campaign.domain.template_grammar import TemplateError
from shared.contracts.base import LocalText
from shared.contracts.campaign.compliance import ComplianceHit, ComplianceListView, ComplianceWord
from shared.contracts.campaign.scripts import PathStep, ScriptStep

DAY = date(2026, 11, 1)


def a_list(*patterns: str, severity: str = "refuse", **changes: Any) -> ComplianceListView:
    values = {
        "key": "promises",
        "name": LocalText(zh="承诺", en="Promises"),
        "words": [{"pattern": pattern, "severity": severity} for pattern in patterns],
        "valid_from": DAY,
        "version": 1,
        "created_at": datetime(2026, 11, 1, tzinfo=UTC),
        "created_by": "user:c",
    }
    return ComplianceListView.model_validate({**values, **changes})


def hits(source: str, *lists: ComplianceListView, **changes: Any) -> Sequence[ComplianceHit]:
    text = Text("/steps/0/text/zh", source, **changes)
    return check(Wording([text], "manager_task", []), lists)


@pytest.mark.parametrize(
    ("source", "pattern", "places"),
    [
        ("本产品保本。", "保本", [(3, 5)]),
        ("保 本、保\u200b本、保\n本、保·本、保-本", "保本", [(0, 3), (4, 7), (8, 11), (12, 15), (16, 19)]),
        ("保{{ customer.salutation }}本", "保本", []),
        ("保{% if today is defined %}本{% endif %}", "保本", [(0, 27)]),
        ("保{% if today is defined %}x{% else %}本{% endif %}", "保本", [(0, 38)]),
        ("{{ customer.salutation | default('保本') }}", "保本", [(34, 36)]),
        ("保保本保本本", "保本", [(1, 3), (3, 5)]),
        ("哈哈哈", "哈哈", [(0, 2), (1, 3)]),
        ("ＧＵＡＲＡＮＴＥＥＤ", "guaranteed", [(0, 10)]),
        ("Guárantéed g u a r a n t e e d", "guaranteed", [(0, 10), (11, 30)]),
        ("unguaranteed guaranteeds", "guaranteed", []),
        ("casino risk; no risk", "no risk", [(13, 20)]),
        ("a ﬁxed return", "fixed return", [(2, 13)]),
        ("稳赚而且绝对不赔", "稳赚*不赔", [(0, 8)]),
        ("稳赚一二三四五六七八九十一二三不赔", "稳赚*不赔", []),
        ("没有风险", "保本", []),
    ],
)
def test_words_are_found_however_they_are_written(
    source: str, pattern: str, places: list[tuple[int, int]]
) -> None:
    found = hits(source, a_list(pattern))
    assert [(hit.start, hit.end) for hit in found] == places
    assert [hit.found for hit in found] == [source[start:end] for start, end in places]


def test_pages_are_read_as_they_are_seen() -> None:
    found = hits("保<b>本</b>，&#20445;&#x672C;", a_list("保本"), html=True)
    assert [(hit.start, hit.end) for hit in found] == [(0, 5), (10, 26)]


def test_overlapping_words_of_several_lists_are_all_told() -> None:
    warned = a_list("本息", severity="warn", key="care", version=3)
    found = hits("保本息", a_list("保本"), warned)
    assert [(hit.list, hit.list_version, hit.start, hit.end, hit.severity) for hit in found] == [
        ("promises", 1, 0, 2, "refuse"),
        ("care", 3, 1, 3, "warn"),
    ]
    (error,) = refusals(found)
    assert error.pointer == "/steps/0/text/zh"
    assert error.detail == "characters 1 to 2: “保本” is refused by promises@1 (保本)"


def test_lists_apply_by_channel_and_product() -> None:
    def told(each: ComplianceListView, channel: Any, *products: str) -> bool:
        return bool(check(Wording([Text("/t", "保本")], channel, products), [each]))

    sms = a_list("保本", channels=["sms"])
    assert told(sms, "sms")
    assert not told(sms, "manager_task")
    funds = a_list("保本", products=["F-01"])
    assert told(funds, "sms", "F-01", "X")
    assert told(funds, "sms")
    assert not told(funds, "sms", "X")


def test_patterns_of_nothing_are_refused() -> None:
    words = [ComplianceWord(pattern=pattern, severity="warn") for pattern in ("a*b", "a *", "- -", "* *")]
    assert [error.pointer for error in too_short(words)] == [
        "/words/1/pattern",
        "/words/2/pattern",
        "/words/3/pattern",
    ]


def steps(**answers: dict[str, str] | None) -> list[ScriptStep]:
    """Step → answer → the step it leads to, or `!disposition`."""
    words = {"zh": "好", "en": "Well"}
    return [
        ScriptStep.model_validate(
            {
                "key": key,
                "text": words,
                "answers": [
                    {"key": name, "label": words, **({"end": to[1:]} if to[0] == "!" else {"next": to})}
                    for name, to in (leads or {}).items()
                ],
            }
        )
        for key, leads in answers.items()
    ]


BRANCHING = steps(
    hello={"yes": "need", "no": "!refused"}, need={"more": "offer", "later": "!call_back"}, offer=None
)


@pytest.mark.parametrize(
    ("script", "pointers"),
    [
        (BRANCHING, []),
        (steps(a=None, b=None, c=None), []),
        (steps(a={"on": "b"}, b={"back": "a", "no": "!refused"}), []),
        (steps(a={"on": "z"}, b={"on": "y", "no": "!refused"}), ["/steps/0/answers/0/next", "/steps/1/answers/0/next"]),
        (steps(a={"no": "!refused"}, b=None), ["/steps/1"]),
        (steps(a={"on": "b"}, b={"back": "a"}), ["/steps/0", "/steps/1"]),
        (steps(a={"on": "b", "no": "!refused"}, b={"again": "b"}), ["/steps/1"]),
        (steps(a={"on": "b"}, b={"no": "!refused"}, c={"on": "d"}, d={"on": "c"}), ["/steps/2", "/steps/2", "/steps/3", "/steps/3"]),
    ],
)  # fmt: skip
def test_scripts_lead_somewhere(script: list[ScriptStep], pointers: list[str]) -> None:
    assert [error.pointer for error in faults(script)] == pointers


@pytest.mark.parametrize(
    ("told", "pointer"),
    [
        ([("hello", "yes"), ("need", "more"), ("offer", None)], None),
        ([("hello", "no")], None),
        ([("hello", "yes"), ("need", None)], None),
        ([("need", "more")], "/path/0/step"),
        ([("hello", "no"), ("need", "more")], "/path/1/step"),
        ([("hello", "perhaps")], "/path/0/answer"),
        ([("hello", "yes"), ("need", None), ("offer", None)], "/path/2/step"),
        ([("hello", "yes"), ("nowhere", None)], "/path/1/step"),
        ([("hello", "yes"), ("need", "more"), ("offer", None), ("hello", "yes")], "/path/3/step"),
    ],
)
def test_a_told_way_follows_the_script(told: list[tuple[str, str | None]], pointer: str | None) -> None:
    path = [PathStep(step=step, answer=answer) for step, answer in told]
    assert [error.pointer for error in departures(BRANCHING, path)] == ([pointer] if pointer else [])


@pytest.mark.parametrize(
    ("text", "encoding", "units", "segments"),
    [
        ("a" * 160, "gsm7", 160, 1),
        ("a" * 161, "gsm7", 161, 2),
        ("a" * 306, "gsm7", 306, 2),
        ("a" * 307, "gsm7", 307, 3),
        ("€" * 80, "gsm7", 160, 1),
        ("€" * 81, "gsm7", 162, 2),
        ("您" * 70, "ucs2", 70, 1),
        ("您" * 71, "ucs2", 71, 2),
        ("您" * 135, "ucs2", 135, 3),
        ("😀" * 35, "ucs2", 70, 1),
        ("😀" * 36, "ucs2", 72, 2),
        ("", "gsm7", 0, 1),
    ],
)
def test_short_messages_are_counted_as_networks_do(
    text: str, encoding: str, units: int, segments: int
) -> None:
    length = sms_length(text)
    assert (length.encoding, length.units, length.segments) == (encoding, units, segments)


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("<p>您好 <b>{{ customer.salutation }}</b><br><a href='https://bank.example/x'>x</a> &lt; 5</p>", None),
        ("<p>\n<script>alert(1)</script>", (2, 1)),
        ("<img src='https://x'>", (1, 1)),
        ("<p onclick='x'>", (1, 1)),
        ("<a href='javascript:alert(1)'>", (1, 1)),
        ("<a href='http://x'>", (1, 1)),
        ("<a href='https://x/{{ today | date }}'>", (1, 1)),
        ("<p {% if today is defined %}>", (1, 1)),
        ("<!-- x -->", (1, 1)),
        ("<!DOCTYPE html>", (1, 1)),
        ("<?php x ?>", (1, 1)),
        ("<svg/onload=x>", (1, 1)),
        ("a</iframe>", (1, 2)),
        ("a < b", (1, 3)),
        ("<p", (1, 1)),
        ("<style>a</style>", (1, 1)),
        ("<![CDATA[x]]>", (1, 1)),
    ],
)  # fmt: skip
def test_pages_have_harmless_tags_only(source: str, place: tuple[int, int] | None) -> None:
    if place is None:
        require_harmless(source)
        return
    with pytest.raises(TemplateError) as refused:
        require_harmless(source)
    assert (refused.value.line, refused.value.position) == place
