"""What has changed in a campaign since somebody decided on it last, line by line."""

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import NOTHING, moment, percent
from services.console.i18n import Texts
from services.console.pages.words import Metrics, Names, metric_name
from services.console.view import View
from services.console.widgets.html import Cell, html, table
from shared.contracts.campaign import CampaignContent, CampaignView
from shared.contracts.campaign.decided import DecidedContent

_SHARES = frozenset({"share", "hold_out", "looks"})
_METRICS = frozenset({"primary_metric", "guardrails"})
_ORGS = frozenset({"org", "orgs"})
_SEGMENTS = frozenset({"include", "exclude", "segment", "exit_segments"})
_UNSAID = frozenset({"strategy_id"})
"""Follows another part, which is shown."""
_NAMED_BY = ("key", "org")

Fields = dict[tuple[str, ...], Any]
"""Values by the way to them; an entry of a list is named by its key or organisation, else by its number."""


async def decided_content(view: View, campaign: CampaignView) -> DecidedContent | None:
    """Asked for while somebody has to decide again; nothing before the first decision."""
    if campaign.status != "in_review" or not campaign.approvals:
        return None
    path = f"/v1/campaigns/{segment(campaign.id)}/decided-content"
    return await view.optional(view.api.get("campaign", path, DecidedContent))


def draw_changes(
    view: View, campaign: CampaignView, decided: DecidedContent, known: Metrics, names: Names
) -> None:
    t = view.t
    before, after = (
        fields_of(content.model_dump(mode="json", include=set(CampaignContent.model_fields)))
        for content in (decided.content, campaign)
    )
    words = _Words(t, known, names)
    rows: list[list[Cell]] = [
        [words.label(way), words.value(way, before.get(way)), words.value(way, after.get(way))]
        for way in changed_ways(before, after)
    ]
    since = t(
        f"changes.since.{decided.decision}",
        by=decided.checker.removeprefix("user:"),
        time=moment(decided.decided_at),
    )
    with ui.element("section").classes("panel").props(f'aria-label="{t("changes.title")}"'):
        html(Markup('<div class="panel-head"><h2>{}</h2><p>{}</p></div>').format(t("changes.title"), since))
        if rows:
            html(table([t(f"changes.{name}") for name in ("what", "before", "after")], rows))
        else:
            html(Markup('<p class="muted">{}</p>').format(t("changes.none")))


def fields_of(value: Any, way: tuple[str, ...] = ()) -> Fields:
    return dict(_walk(value, way))


def changed_ways(before: Mapping[tuple[str, ...], Any], after: Mapping[tuple[str, ...], Any]) -> list[Any]:
    """In the order of the content as it is now, what is gone last."""
    ways = [*after, *(way for way in before if way not in after)]
    return [way for way in ways if before.get(way) != after.get(way)]


def _walk(value: Any, way: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict):
        for name, each in value.items():
            if name not in _UNSAID:
                yield from _walk(each, (*way, name))
    elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
        for number, each in enumerate(value, 1):
            yield from _walk(each, (*way, f"[{_called(each, number)}]"))
    elif value not in (None, []):
        yield way, value


def _called(entry: Any, number: int) -> str:
    named = next((name for name in _NAMED_BY if isinstance(entry, dict) and name in entry), None)
    return str(entry[named]) if named else str(number)


class _Words:
    def __init__(self, t: Texts, known: Metrics, names: Names) -> None:
        self._t, self._known, self._names = t, known, names

    def label(self, way: tuple[str, ...]) -> Cell:
        """`scheme, arms, [call], share` → “方案 · call · 占比”; a field that has no word keeps its name."""
        said = [self._t.word("content", way[0])]
        said += [
            self._names.org(step[1:-1]) if step.startswith("[") else self._field(step, of)
            for of, step in pairwise(way)
            if step not in {"arms", "measures"}
        ]
        return " · ".join(said)

    def _field(self, name: str, of: str) -> str:
        if of == "margins":
            return metric_name(self._t, self._known, name)
        return self._t.word("content.field", name)

    def value(self, way: tuple[str, ...], value: Any) -> Cell:
        if value is None:
            return NOTHING
        if isinstance(value, list):
            return self._t("comma").join(self._one(way[-1], each) for each in value)
        return self._one(way[-1], value)

    def _one(self, name: str, value: Any) -> str:
        if isinstance(value, bool):
            return self._t("yes" if value else "no")
        if name in _SHARES:
            return percent(value, 2)
        called: dict[str, Callable[[str], str]] = {
            **dict.fromkeys(_METRICS, lambda key: metric_name(self._t, self._known, key)),
            **dict.fromkeys(_ORGS, self._names.org),
            **dict.fromkeys(_SEGMENTS, self._names.segment),
            "channel": lambda key: self._t.word("channel", key),
            "unit": lambda key: self._t.word("drawn", key),
            **dict.fromkeys(("kind", "spending"), lambda key: self._t.word("stop", key)),
        }
        return called[name](str(value)) if name in called else str(value)
