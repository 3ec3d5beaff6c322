"""What a launch would do with the audience as it stands: asked for before anybody is contacted."""

from collections.abc import Awaitable, Callable

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import NOTHING, exact_money, moment, whole
from services.console.view import View
from services.console.widgets.fields import Places
from services.console.widgets.html import Cell, facts, html, tag, two_lines
from services.console.widgets.states import skeleton
from shared.auth import Role
from shared.contracts.campaign import CampaignView, Simulation
from shared.contracts.campaign.simulation import ChannelNeed, ExpectedCost, ExpectedValue
from shared.contracts.evaluation.sample_size import SampleSize
from shared.contracts.stopping import FixedStop


def draw_simulation(view: View, campaign: CampaignView) -> None:
    if campaign.missing or not view.user.has(Role.strategist):
        return

    async def asked() -> CampaignView:
        return campaign

    simulation_panel(view, asked)


def simulation_panel(
    view: View, asked: Callable[[], Awaitable[CampaignView | None]], places: Callable[[], Places] = dict
) -> None:
    """`asked`: which campaign, or none, having said why. `places`: those of its form, for what is wrong."""
    t = view.t
    with ui.element("section").classes("panel"):
        with ui.element("div").classes("panel-head"):
            html(Markup("<h2>{}</h2><p>{}</p>").format(t("simulation.title"), t("simulation.note")))
            button = ui.button(t("simulation.run")).props("outline no-caps")
        shown = ui.element("div").props('aria-live="polite"')

    async def run() -> None:
        campaign = await asked()
        if campaign is None:
            return
        button.disable()
        shown.clear()
        with shown:
            skeleton(80)
        path = f"/v1/campaigns/{segment(campaign.id)}:simulate"
        found = await view.attempt(view.api.post("campaign", path, Simulation), places())
        by_rule = await _by_rule(view, campaign, found) if found is not None else None
        button.enable()
        shown.clear()
        if found is not None:
            with shown:
                html(facts(_outcome(view, found, by_rule)))

    button.on_click(run)


async def _by_rule(view: View, campaign: CampaignView, found: Simulation) -> float | None:
    """What the smallest arm shows by the bound of the campaign's own stop rule, in standard deviations."""
    stop = campaign.objective.stop if campaign.objective else FixedStop()
    if stop.kind == "fixed" or found.minimum_detectable_effect is None:
        return None
    units = min(found.arms.values()) + found.hold_out
    asked = {
        "kind": "mean",
        "deviation": 1,
        "units": units,
        "hold_out": found.hold_out / units,
        "stop": stop.model_dump(mode="json"),
    }
    answer = await view.optional(view.api.post("evaluation", "/v1/sample-size", SampleSize, asked))
    return answer.effect if answer else None


def _outcome(view: View, found: Simulation, by_rule: float | None = None) -> list[tuple[str, Cell]]:
    t = view.t
    kept = [
        f"{t.word('reason', reason)} {whole(count)}" for reason, count in found.suppressed.items() if count
    ]
    arms = [f"{arm} {whole(count)}" for arm, count in found.arms.items()]
    minutes = found.manager_minutes
    lately = found.trigger
    since = t("trigger.estimate", n=whole(lately.moved), time=moment(lately.since)) if lately else ""
    return [
        *([(t("fix.trigger"), since)] if lately else []),
        (t("books.audience"), whole(found.audience)),
        (t("books.suppressed"), " · ".join(kept) or NOTHING),
        (t("simulation.arms"), " · ".join(arms) or NOTHING),
        (t("books.held_out"), whole(found.hold_out)),
        (
            t("simulation.minutes"),
            t(
                "simulation.minutes.of",
                needed=whole(minutes.needed),
                available=whole(minutes.available),
                managers=whole(found.managers),
            ),
        ),
        (t("simulation.beyond"), _beyond(view, found.beyond_capacity)),
        (t("simulation.away"), _away(view, found)),
        *((t("simulation.channel", name=_name(view, each)), _channel(view, each)) for each in found.channels),
        (t("simulation.cost"), _cost(view, found.cost)),
        (t("simulation.value"), _value(view, found.expected_value)),
        (t("simulation.smallest"), _smallest(view, found.minimum_detectable_effect, by_rule)),
    ]


def _smallest(view: View, smallest: float | None, by_rule: float | None) -> Cell:
    t = view.t
    if smallest is None:
        return NOTHING
    said = t("simulation.deviations", n=f"{smallest:.2f}")
    return said if by_rule is None else two_lines(said, t("simulation.deviations.rule", n=f"{by_rule:.2f}"))


def _beyond(view: View, contacts: int) -> str:
    return view.t("simulation.beyond.of", n=whole(contacts)) if contacts else NOTHING


def _away(view: View, found: Simulation) -> str:
    if not found.away:
        return NOTHING
    return view.t("simulation.away.of", managers=whole(found.away), nobody=whole(found.nobody_there))


def _name(view: View, need: ChannelNeed) -> str:
    return view.t.local(need.name)


def _channel(view: View, need: ChannelNeed) -> Markup:
    t = view.t
    words = [
        t(
            "simulation.channel.of",
            messages=whole(need.messages),
            day=whole(need.per_day),
            minute=whole(need.per_minute),
            needed=whole(need.days_needed),
            days=whole(need.days),
            cost=exact_money(need.cost, need.currency),
        )
    ]
    if need.waiting:
        words.append(t("simulation.channel.waiting", n=whole(need.waiting)))
    marks = [
        *(
            [tag(t("simulation.channel.beyond", n=whole(need.beyond_capacity)), "warn")]
            if need.beyond_capacity
            else []
        ),
        *([] if need.enabled else [tag(t("channel_state.disabled"), "warn")]),
    ]
    return Markup(" ").join([Markup("{}").format(" · ".join(words)), *marks])


def _cost(view: View, cost: ExpectedCost | None) -> Markup:
    t = view.t
    if cost is None:
        return Markup("{}").format(t("simulation.cost.mixed"))
    amount = exact_money(cost.amount, cost.currency)
    if cost.budget is None:
        return Markup("{}").format(t("simulation.cost.free", amount=amount))
    said = t("simulation.cost.of", amount=amount, budget=exact_money(cost.budget, cost.currency))
    if not cost.over:
        return Markup("{}").format(said)
    return Markup("{} {}").format(
        said, tag(t("simulation.cost.over", amount=exact_money(cost.over, cost.currency)), "warn")
    )


def _value(view: View, value: ExpectedValue | None) -> str:
    t = view.t
    if value is None:
        return t("simulation.value.unknown")
    amount = exact_money(value.amount, value.currency)
    return t("simulation.value.of", amount=amount, n=whole(value.customers))
