"""A recommendation as a card: what to do, on what evidence, what else was looked at, and what came of it."""

from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import NOTHING, Quantity, moment, p_value, percent, whole
from services.console.pages.words import Names, advice_tag, state_tag
from services.console.view import View
from services.console.widgets.dialogs import confirm
from services.console.widgets.html import Cell, facts, html, link, table, tag
from shared.auth import Role
from shared.contracts.campaign import CampaignSummary
from shared.contracts.evaluation import Recommendation
from shared.contracts.evaluation.recommendations import CreatedDraft, PolicyValue

Reload = Callable[[], Awaitable[None]]
_NAMED = 4


def draw_advice(
    view: View,
    advice: Recommendation,
    unit: Quantity,
    names: Names,
    again: Reload,
    *,
    with_campaign: bool = False,
    draft: CampaignSummary | None = None,
) -> None:
    """One card. Strategists accept or reject while it is open; `again` draws the page anew afterwards.

    `with_campaign`: says which campaign it is of, where the page does not. `draft`: what has become of the
    campaign that accepting drafted, where that is known.
    """
    t = view.t
    with ui.element("section").classes(f"panel advice {advice.outcome.value}"):
        with ui.element("div").classes("panel-head"):
            html(_head(view, advice, with_campaign=with_campaign))
            if advice.state.value == "open" and view.user.has(Role.strategist):
                with ui.element("div").classes("actions"):
                    _decide(view, advice, "reject", again)
                    _decide(view, advice, "accept", again)
        html(
            Markup('<p class="lead">{}</p>{}').format(
                t.local(advice.text), facts([*_evidence(view, advice, unit), *_decision(view, advice, draft)])
            )
        )
        if advice.cells:
            html(_targets(view, advice, unit, names)).style("margin-top: 12px")
        if advice.policies:
            html(
                Markup('<h3>{}</h3><p class="muted small">{}</p>{}').format(
                    t("advice.policies"), t("advice.policies.note"), _policies(view, advice, unit, names)
                )
            ).style("margin-top: 12px")


def created_link(created: CreatedDraft) -> Markup:
    """To the draft that accepting made."""
    return link(created.campaign_key, f"/campaigns/{segment(created.campaign_id)}")


def _head(view: View, advice: Recommendation, *, with_campaign: bool) -> Markup:
    t = view.t
    title: Cell = t("advice.title")
    if with_campaign:
        title = link(t.local(advice.campaign_name), f"/campaigns/{segment(advice.campaign_id)}")
    return Markup('<h2>{}</h2><div style="margin-top:6px">{} {} {}</div>').format(
        title,
        advice_tag(t, advice.action.value, advice.outcome.value),
        tag(t.word("outcome", advice.outcome.value)),
        tag(t.word("decision", advice.state.value)),
    )


def _evidence(view: View, advice: Recommendation, unit: Quantity) -> list[tuple[str, Cell]]:
    t, evidence = view.t, advice.evidence
    pairs: list[tuple[str, Cell]] = [(t("column.n"), f"{whole(evidence.n)} / {whole(evidence.n_hold_out)}")]
    if evidence.difference is not None:
        interval = f" ({unit.interval(evidence.ci)})" if evidence.ci else ""
        pairs.append((t("column.difference"), unit.signed(evidence.difference) + interval))
    if evidence.p_value is not None:
        pairs.append((t("column.p"), p_value(evidence.p_value)))
    if evidence.incremental is not None:
        interval = f" ({_ends(unit, evidence.incremental_ci)})" if evidence.incremental_ci else ""
        pairs.append((t("money.incremental"), unit.signed_total(evidence.incremental) + interval))
    if evidence.n_needed is not None:
        pairs.append((t("advice.n_needed"), whole(evidence.n_needed)))
    if advice.prediction is not None:
        told = f"{unit.signed(advice.prediction.value)} ({unit.interval(advice.prediction.ci)})"
        pairs.append((t("advice.prediction"), told))
    pairs.append((t("advice.issued"), moment(advice.issued_at)))
    return pairs


def _decision(
    view: View, advice: Recommendation, draft: CampaignSummary | None
) -> Iterator[tuple[str, Cell]]:
    """What accepting would do, or did: also where it stopped half-way."""
    t, segment_made = view.t, advice.created_segment
    if advice.decided_by:
        decided = f"{advice.decided_by} · {moment(advice.decided_at)} {advice.note or ''}"
        yield t("advice.decided"), decided
    elif advice.state.value == "open":
        yield t("advice.on_accept"), t(f"advice.on_accept.{advice.follow_up.value}")
    if segment_made is not None:
        address = f"/segments/{segment(segment_made.segment_id)}"
        half = advice.created is None and advice.state.value == "open"
        more = t("advice.created.half") if half else ""
        yield (
            t("advice.created_segment"),
            Markup("{} {}").format(link(segment_made.segment_key, address), more),
        )
    if advice.created is not None:
        status = state_tag(t, draft.status) if draft else ""
        yield t("advice.created"), Markup("{} {}").format(created_link(advice.created), status)
    elif advice.stopped is not None:
        yield t("advice.stopped"), t.word("stopped", advice.stopped.value)
    elif advice.state.value == "accepted":
        yield t("advice.created"), t("advice.created.none")


def _ends(unit: Quantity, ends: tuple[Decimal, Decimal]) -> str:
    return f"{unit.signed_total(ends[0])} ~ {unit.signed_total(ends[1])}"


def _targets(view: View, advice: Recommendation, unit: Quantity, names: Names) -> Markup:
    t = view.t
    rows: list[list[Cell]] = [
        [
            t.word("dimension", cell.dimension),
            names.value(cell.dimension, cell.value),
            whole(cell.n),
            unit.signed(cell.difference),
            unit.interval(cell.ci),
            p_value(cell.q_value),
        ]
        for cell in advice.cells
    ]
    columns = ("dimension", "value", "n", "difference", "interval", "q")
    return table([t(f"column.{name}") for name in columns], rows, right=range(2, 6))


def _policies(view: View, advice: Recommendation, unit: Quantity, names: Names) -> Markup:
    t = view.t
    columns = ("policy", "change", "gain", "interval", "p", "lift", "n_needed", "outcome")
    rows = [_policy(view, policy, unit, names) for policy in advice.policies]
    return table([t(f"advice.column.{name}") for name in columns], rows, right=range(2, 7))


def _policy(view: View, policy: PolicyValue, unit: Quantity, names: Names) -> list[Cell]:
    t = view.t
    low, high = policy.ci
    gained: Cell = unit.signed(policy.gain)
    if not low <= 0 <= high:
        gained = Markup("<b>{}</b>").format(gained)
    return [
        advice_tag(t, policy.action.value, policy.outcome.value),
        _change(view, policy, names),
        gained,
        unit.interval(policy.ci),
        p_value(policy.p_value),
        NOTHING if policy.lift is None else unit.signed(policy.lift),
        NOTHING if policy.n_needed is None else whole(policy.n_needed),
        t.word("outcome", policy.outcome.value),
    ]


def _change(view: View, policy: PolicyValue, names: Names) -> str:
    """Whom it goes on with, or how it shares."""
    t = view.t
    if policy.dimension is None:
        return ", ".join(f"{arm} {percent(share, 0)}" for arm, share in policy.shares.items())
    if not policy.cells:
        return t("advice.nobody")
    named = [names.value(policy.dimension, cell) for cell in policy.cells[:_NAMED]]
    more = len(policy.cells) - len(named)
    return ", ".join(named) + (t("advice.more", n=more) if more > 0 else "")


def _decide(view: View, advice: Recommendation, verb: str, again: Reload) -> None:
    t = view.t
    effect = f"advice.on_accept.{advice.follow_up.value}"

    async def ask() -> None:
        note = await confirm(
            t,
            title=t(f"advice.{verb}"),
            text=t(f"advice.{verb}.confirm") + (f" {t(effect)}" if verb == "accept" else ""),
            field=t("advice.note"),
            required=verb == "reject",
        )
        if note is None:
            return
        path = f"/v1/recommendations/{segment(advice.id)}:{verb}"
        decided = await view.attempt(view.api.post("evaluation", path, Recommendation, {"note": note}))
        if decided is not None:
            view.done(t("advice.recorded"))
            await again()

    style = "unelevated no-caps" if verb == "accept" else "outline no-caps"
    ui.button(t(f"advice.{verb}"), on_click=ask).props(style)
