"""What segmentation makes of a customer: stage, tiers, warnings, positions, groups and figures of models."""

from markupsafe import Markup
from nicegui import ui

from services.console.api import ApiProblem, segment
from services.console.formats import NOTHING, day, exact_money, percent
from services.console.view import View
from services.console.widgets.html import Cell, facts, html, link, tag
from shared.contracts.segmentation.churn_warnings import ChurnWarningView
from shared.contracts.segmentation.customer_insight import CustomerInsight
from shared.contracts.segmentation.models import CustomerScore, ModelKind


def build_insight(view: View, key: str) -> None:
    """Of its own: the page does without while the service cannot be reached."""
    view.section(lambda: _fetch(view, key), lambda found: _draw(view, found), height=200)


async def _fetch(view: View, key: str) -> CustomerInsight | None:
    """Nothing of a customer it has not heard of yet, or has forgotten."""
    try:
        return await view.api.get("segmentation", f"/v1/customers/{segment(key)}/insight", CustomerInsight)
    except ApiProblem as problem:
        if problem.status != 404:
            raise
        return None


def _draw(view: View, found: CustomerInsight | None) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("customer.insight")))
        pairs = _pairs(view, found) if found is not None else []
        if pairs:
            html(facts(pairs))
        else:
            html(Markup('<p class="muted">{}</p>').format(t("customer.insight.empty")))


def _pairs(view: View, found: CustomerInsight) -> list[tuple[str, Cell]]:
    t = view.t
    pairs: list[tuple[str, Cell]] = []
    if found.stage is not None:
        pairs.append((t("customer.stage"), tag(t.local(found.stage.name), "accent")))
    pairs += [(t("customer.warning"), _warning(view, each)) for each in found.warnings]
    pairs += [
        (t.local(held.name), Markup("{} {}").format(tag(t.local(held.tier_name), "accent"), day(held.since)))
        for held in found.tiers
    ]
    pairs += [
        (
            link(each.matrix_key, f"/ge-matrices/{segment(each.matrix_key)}"),
            tag(t("customer.class", name=each.position.customer_class)),
        )
        for each in found.positions
    ]
    pairs += [
        (link(t.local(each.name), f"/models/{each.model_id}"), _said(view, each)) for each in found.models
    ]
    return pairs


def _warning(view: View, warning: ChurnWarningView) -> Markup:
    t = view.t
    reasons = t("comma").join(t.local(each.name) for each in warning.reasons)
    at_stake = t("churn.at_stake.note", money=exact_money(warning.at_stake, "CNY"))
    return Markup("{} {}<div class='muted small'>{}</div>").format(
        tag(percent(warning.probability), "bad"), at_stake, reasons
    )


def _said(view: View, score: CustomerScore) -> Cell:
    """The figure or the group that the kind of model is asked for."""
    match score.kind:
        case ModelKind.clv:
            value = score.scores.get("clv")
            return NOTHING if value is None else exact_money(round(value, 2), "CNY")
        case ModelKind.churn | ModelKind.propensity:
            return percent(score.scores.get("probability"))
    if score.cluster_name is not None:
        return tag(view.t.local(score.cluster_name))
    return NOTHING if score.cluster is None else tag(view.t("customer.group", n=score.cluster))
