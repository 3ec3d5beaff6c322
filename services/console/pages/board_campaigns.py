"""Campaigns on the strategy board: which of them are looked at, in which order, on one scale."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from math import inf

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import NOTHING, Quantity, day, percent, whole
from services.console.pages.words import Metrics, advice_tag, quantity, state_tag
from services.console.view import View
from services.console.widgets.html import Cell, bar, html, link, table, tag, two_lines
from services.console.widgets.states import empty_state
from shared.charts.forest import Estimate
from shared.charts.palette import SCREEN
from shared.charts.strip import common_room, small_strip
from shared.contracts.evaluation import BoardCampaign, BoardEffect
from shared.contracts.metrics import Better
from shared.verdict_words import headline
from shared.verdicts import TONES, Verdict, verdict_on_board

SORTS = ("newest", "incremental", "reached", "verdict")
_STATES = ("running", "paused", "completed")
_ORDER = (
    Verdict.WORSE,
    Verdict.WITHHELD,
    Verdict.NO_HOLD_OUT,
    Verdict.BETTER,
    Verdict.UNDECIDED,
    Verdict.EARLY,
    Verdict.NOT_EVALUATED,
)
"""What wants somebody's attention first."""


@dataclass(frozen=True)
class Chosen:
    """What the reader asked for; empty is everything."""

    text: str = ""
    state: str = ""
    org: str = ""
    sort: str = "newest"


@dataclass
class CampaignTable:
    view: View
    campaigns: Sequence[BoardCampaign]
    metrics: Metrics
    chosen: Chosen = field(default_factory=Chosen)

    def draw(self) -> None:
        t = self.view.t
        with ui.element("div").classes("filters"):
            words = ui.input(t("board.filter.text")).props("outlined dense clearable debounce=250")
            words.on_value_change(lambda: self._choose(text=str(words.value or "")))
            self._select("state", {name: t.word("state", name) for name in _STATES})
            orgs = sorted({org for campaign in self.campaigns for org in campaign.orgs})
            self._select("org", {org: org for org in orgs})
            sorts = {name: t(f"board.sort.{name}") for name in SORTS}
            order = ui.select(sorts, value="newest", label=t("board.sort")).props("outlined dense")
            order.on_value_change(lambda: self._choose(sort=str(order.value)))
        self._box = ui.element("div").props('aria-live="polite"')
        self._fill()

    def _select(self, name: str, options: Mapping[str, str]) -> None:
        picker = ui.select(dict(options), label=self.view.t(f"board.filter.{name}"), clearable=True)
        picker.props("outlined dense").style("min-width: 150px")
        picker.on_value_change(lambda: self._choose(**{name: str(picker.value or "")}))

    def _choose(self, **changes: str) -> None:
        self.chosen = replace(self.chosen, **changes)
        self._fill()

    def _fill(self) -> None:
        self._box.clear()
        t = self.view.t
        shown = matching(self.campaigns, self.chosen, self.metrics, t.local)
        with self._box:
            if not shown:
                empty_state(t("board.none_match"), t("board.none_match.do"))
                return
            html(Markup('<p class="muted small">{}</p>').format(self._summary(shown)))
            html(self._table(shown))

    def _summary(self, shown: Sequence[BoardCampaign]) -> str:
        found = [_incremental(each) for each in shown if each.currency == "CNY"]
        total = sum((amount for amount in found if amount is not None), Decimal())
        yuan = Quantity(self.view.t.language, "sum", "CNY")
        return self.view.t(
            "board.shown",
            n=whole(len(shown)),
            all=whole(len(self.campaigns)),
            total=yuan.signed_total(total),
        )

    def _table(self, shown: Sequence[BoardCampaign]) -> Markup:
        names = ("campaign", "state", "verdict", "incremental", "effect", "target", "progress", "advice")
        columns = [
            self.view.t("board.verdict") if name == "verdict" else self.view.t(f"column.{name}")
            for name in names
        ]
        return table(columns, [self._row(each) for each in shown], right=(4,))

    def _row(self, campaign: BoardCampaign) -> list[Cell]:
        t = self.view.t
        unit = self._unit(campaign)
        address = f"/campaigns/{segment(campaign.campaign_id)}"
        progress = campaign.progress
        return [
            two_lines(
                link(t.local(campaign.name), address),
                f"{t.local(campaign.metric_name)} · {day(campaign.starts_on)} – {day(campaign.ends_on)}",
            ),
            state_tag(t, campaign.state),
            self._verdict(campaign, f"{address}/review"),
            self._incremental(campaign, unit),
            self._effect(campaign, unit),
            self._target(campaign, unit),
            Markup('<span class="num nowrap">{} / {}</span>{}').format(
                whole(progress.contacted), whole(progress.assigned), bar(progress.share)
            ),
            self._advice(campaign),
        ]

    def _verdict(self, campaign: BoardCampaign, address: str) -> Cell:
        """What may be said leads to the review; below it, whether it may still move."""
        t = self.view.t
        verdict = verdict_shown(campaign, self.metrics)
        tone = TONES[verdict]
        said = Markup('<a href="{}">{}</a>').format(
            address, tag(headline(verdict, t.language), "" if tone == "muted" else tone)
        )
        if campaign.effect is None:
            return said
        return two_lines(said, t("effect.matured", share=percent(campaign.effect.matured, 0)))

    def _incremental(self, campaign: BoardCampaign, unit: Quantity) -> Cell:
        effect = campaign.effect
        found = _estimate(effect)
        if effect is None or found is None:
            return NOTHING
        interval = (
            f"{unit.signed_total(effect.incremental_ci[0])} ~ {unit.signed_total(effect.incremental_ci[1])}"
            if effect.incremental_ci
            else NOTHING
        )
        value = unit.signed_total(effect.incremental)
        title = self.view.t(
            "board.strip", name=self.view.t.local(campaign.name), value=value, interval=interval
        )
        tone = TONES[verdict_shown(campaign, self.metrics)]
        return Markup('<b class="num">{}</b>{}<span class="muted small num">{}</span>').format(
            value, small_strip(found, self._ends(unit), tone, SCREEN, title), interval
        )

    def _effect(self, campaign: BoardCampaign, unit: Quantity) -> Cell:
        effect = campaign.effect
        if effect is None or effect.difference is None:
            return NOTHING
        return two_lines(unit.signed(effect.difference), unit.interval(effect.ci))

    def _target(self, campaign: BoardCampaign, unit: Quantity) -> Cell:
        if campaign.target is None:
            return NOTHING
        if campaign.target_reached is None:
            return unit.total(campaign.target)
        reached = self.view.t("target.reached", share=percent(campaign.target_reached, 0))
        return Markup("{}{}").format(
            two_lines(unit.total(campaign.target), reached), bar(campaign.target_reached)
        )

    def _advice(self, campaign: BoardCampaign) -> Cell:
        advice = campaign.recommendation
        if advice is None:
            return Markup('<span class="muted">{}</span>').format(NOTHING)
        decision = self.view.t.word("decision", advice.state.value)
        if advice.stopped is not None:
            decision = self.view.t.word("stopped", advice.stopped.value)
        return two_lines(
            advice_tag(self.view.t, advice.action.value, advice.outcome.value),
            f"{self.view.t.local(advice.title)} · {decision}",
        )

    def _unit(self, campaign: BoardCampaign) -> Quantity:
        return quantity(self.view.t, self.metrics, campaign.primary_metric, campaign.currency)

    def _ends(self, unit: Quantity) -> tuple[float, float]:
        """One scale for all campaigns measured in the same unit, also those that filters leave out."""
        return common_room(
            [
                found
                for campaign in self.campaigns
                if self._unit(campaign) == unit and (found := _estimate(campaign.effect)) is not None
            ]
        )


def matching(
    campaigns: Sequence[BoardCampaign],
    chosen: Chosen,
    metrics: Metrics,
    local: Callable[..., str],
) -> list[BoardCampaign]:
    """Those asked for, in the order asked for; equal ones stay as they came, newest launch first."""
    text = chosen.text.strip().casefold()

    def asked(campaign: BoardCampaign) -> bool:
        said = f"{local(campaign.name)} {campaign.key} {local(campaign.metric_name)}".casefold()
        return (
            text in said
            and chosen.state in {"", campaign.state}
            and (not chosen.org or chosen.org in campaign.orgs)
        )

    found = [campaign for campaign in campaigns if asked(campaign)]
    keys: dict[str, Callable[[BoardCampaign], float]] = {
        "newest": lambda _: 0.0,
        "incremental": lambda each: _descending(_incremental(each)),
        "reached": lambda each: _descending(each.target_reached),
        "verdict": lambda each: float(_ORDER.index(verdict_shown(each, metrics))),
    }
    return sorted(found, key=keys[chosen.sort])


def verdict_shown(campaign: BoardCampaign, metrics: Metrics) -> Verdict:
    known = metrics.get(campaign.primary_metric)
    return verdict_on_board(campaign, known.better if known else Better.HIGHER)


def _descending(value: Decimal | float | None) -> float:
    """Largest first; what is not known, last."""
    return inf if value is None else -float(value)


def _incremental(campaign: BoardCampaign) -> Decimal | None:
    return campaign.effect.incremental if campaign.effect else None


def _estimate(effect: BoardEffect | None) -> Estimate | None:
    if effect is None or effect.incremental is None or effect.incremental_ci is None:
        return None
    low, high = effect.incremental_ci
    return Estimate(float(effect.incremental), float(low), float(high))
