"""The five fixes 五定 of a campaign, side by side; a missing one is marked, not hidden."""

from collections.abc import Callable, Sequence

from markupsafe import Markup
from nicegui import ui

from services.console.formats import NOTHING, day, percent, whole
from services.console.i18n import Texts
from services.console.pages.campaign_trigger import trigger_words
from services.console.pages.words import Metrics, Names, metric_name, quantity
from services.console.view import View
from services.console.widgets.html import Cell, facts, html, link, two_lines
from shared.contracts.campaign import CampaignView
from shared.contracts.campaign.fixes import Objective
from shared.contracts.stopping import AlwaysValidStop, FixedStop, GroupSequentialStop

Pairs = list[tuple[str, Cell]]


def draw_fixes(view: View, campaign: CampaignView, known: Metrics, names: Names) -> None:
    t = view.t
    fixes: tuple[tuple[str, Pairs | None], ...] = (
        ("objective", _objective(t, campaign, known)),
        ("scheme", _scheme(t, campaign)),
        ("people", _people(t, campaign, names)),
        ("schedule", _schedule(t, campaign)),
        ("responsibility", _responsibility(t, campaign, known, names)),
    )
    with ui.element("section").classes("grid cols-5").props(f'aria-label="{t("fixes.title")}"'):
        for number, (name, pairs) in enumerate(fixes, 1):
            head = Markup("<h3><span>{}</span>{}</h3>").format(number, t(f"fix.{name}"))
            body = facts(pairs) if pairs else Markup('<p class="muted small">{}</p>').format(t("fix.missing"))
            html(head + body).classes("fix" if pairs else "fix missing")


def _objective(t: Texts, campaign: CampaignView, known: Metrics) -> Pairs | None:
    objective = campaign.objective
    if objective is None:
        return None
    unit = quantity(t, known, objective.primary_metric, _currency(known, objective.primary_metric))
    guards = t("comma").join(_guard(t, objective, known, key) for key in objective.guardrails) or NOTHING
    return [
        (t("fix.metric"), metric_name(t, known, objective.primary_metric)),
        (t("fix.target"), unit.total(objective.target)),
        (t("fix.guardrails"), guards),
        (t("fix.window"), t("days", n=objective.window_days)),
        (t("fix.stop"), stop_words(t, objective.stop)),
    ]


def _guard(t: Texts, objective: Objective, known: Metrics, key: str) -> str:
    """With the margin by which it may give way, where one is set."""
    name = metric_name(t, known, key)
    if key not in objective.margins:
        return name
    unit = quantity(t, known, key, _currency(known, key))
    return t("fix.guardrails.margin", name=name, margin=unit.value(objective.margins[key]))


def stop_words(t: Texts, stop: FixedStop | AlwaysValidStop | GroupSequentialStop) -> str:
    """When the result may be read."""
    rule = t(f"stop.{stop.kind}")
    if isinstance(stop, AlwaysValidStop):
        return t("fix.stop.tuned", rule=rule, n=whole(stop.tuned_for))
    if isinstance(stop, GroupSequentialStop):
        looks = t("comma").join(percent(look, 0 if look * 100 % 1 == 0 else 1) for look in stop.looks)
        planned = t("fix.stop.planned", n=whole(stop.customers)) if stop.customers else ""
        return t("fix.stop.looks", rule=rule, looks=looks, spending=t(f"stop.{stop.spending}")) + planned
    return rule


def _scheme(t: Texts, campaign: CampaignView) -> Pairs | None:
    scheme = campaign.scheme
    if scheme is None:
        return None
    arms: Pairs = [
        (
            f"{arm.key} {percent(arm.share, 0)}",
            f"{arm.offer} · {t.word('channel', arm.channel)} · {arm.script}",
        )
        for arm in scheme.arms
    ]
    return [
        (t("fix.scenario"), t.word("scenario", scheme.scenario.kind)),
        *arms,
        (t("fix.hold_out"), percent(scheme.hold_out, 0)),
        (t("fix.drawn"), t.word("drawn", scheme.unit)),
    ]


def _people(t: Texts, campaign: CampaignView, names: Names) -> Pairs | None:
    people = campaign.people
    if people is None:
        return None
    pairs: Pairs = [
        (t("fix.owner"), people.owner),
        (t("fix.assign"), t("fix.assign.backup" if people.use_backup else "fix.assign.primary")),
        (t("fix.orgs"), _list(t, people.orgs, names.org)),
    ]
    if campaign.audience:
        pairs.append((t("fix.include"), _list(t, campaign.audience.include, names.segment)))
        if campaign.audience.exclude:
            pairs.append((t("fix.exclude"), _list(t, campaign.audience.exclude, names.segment)))
        if campaign.audience.limit:
            pairs.append((t("fix.limit"), whole(campaign.audience.limit)))
        if trigger := campaign.audience.trigger:
            held = t(f"trigger.pause.{trigger.on_pause}")
            pairs.append((t("fix.trigger"), two_lines(trigger_words(t, trigger, names), held)))
    choice = campaign.optimisation
    if choice:
        run = link(choice.name, f"/optimisations/{choice.optimisation_id}")
        pairs.append((t("fix.chosen"), two_lines(run, t("fix.chosen.contacts", n=whole(choice.contacts)))))
    return pairs


def _schedule(t: Texts, campaign: CampaignView) -> Pairs | None:
    schedule = campaign.schedule
    if schedule is None:
        return None
    released = sum(wave.released_at is not None for wave in campaign.waves)
    waves = f"{released} / {schedule.waves}" if campaign.waves else str(schedule.waves)
    fed = campaign.audience is not None and campaign.audience.trigger is not None
    return [
        (t("fix.start"), day(schedule.start)),
        (t("fix.end"), day(schedule.end)),
        (t("fix.waves"), t("trigger.as_they_come") if fed else waves),
    ]


def _responsibility(t: Texts, campaign: CampaignView, known: Metrics, names: Names) -> Pairs | None:
    duty = campaign.responsibility
    if duty is None:
        return None
    key = campaign.objective.primary_metric if campaign.objective else ""
    unit = quantity(t, known, key, _currency(known, key))
    shown: Pairs = [(names.org(measure.org), unit.total(measure.target)) for measure in duty.measures[:5]]
    if len(duty.measures) > len(shown):
        shown.append((t("fix.more", n=len(duty.measures) - len(shown)), ""))
    if duty.escalate_after_days is not None:
        shown.append((t("fix.escalate"), t("fix.escalate.days", n=duty.escalate_after_days)))
    return [(t("fix.accountable"), duty.accountable), *shown]


def _list(t: Texts, codes: Sequence[str], called: Callable[[str], str]) -> str:
    return t("comma").join(called(code) for code in codes)


def _currency(known: Metrics, key: str) -> str | None:
    return known[key].currency if key in known else None
