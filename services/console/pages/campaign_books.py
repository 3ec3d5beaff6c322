"""The contact ledger of a campaign: books that balance, and how far each branch has got."""

from markupsafe import Markup
from nicegui import ui

from services.console import theme
from services.console.formats import exact_money, moment, whole
from services.console.pages.words import Names
from services.console.view import View
from services.console.widgets import charts
from services.console.widgets.html import bar, html, tag
from shared.contracts.campaign import CampaignProgress, Tally
from shared.contracts.campaign.quotas import BudgetView

_BRANCHES = 10


def draw_budget(view: View, budget: BudgetView) -> None:
    """What the contacts have spent and reserved of it, and what is left."""
    t = view.t
    end = tag(t("budget.exhausted", at=moment(budget.exhausted_at)), "bad") if budget.exhausted_at else ""
    parts = {
        name: exact_money(getattr(budget, name), budget.currency)
        for name in ("amount", "spent", "reserved", "left")
    }
    used = float((budget.spent + budget.reserved) / budget.amount) if budget.amount else 1.0
    with ui.element("section").classes("panel"):
        html(Markup('<div class="panel-head"><h2>{}</h2>{}</div>').format(t("budget.title"), end))
        html(Markup("<p>{}</p>{}").format(t("budget.line", **parts), bar(used)))


def draw_books(view: View, progress: CampaignProgress, names: Names) -> None:
    t = view.t
    with ui.element("div").classes("grid cols-wide"):
        with ui.element("section").classes("panel"):
            verdict = tag(t("books.balanced"), "good") if progress.balanced else tag(t("books.off"), "bad")
            html(
                Markup('<div class="panel-head"><h2>{}</h2>{}</div>').format(t("books.title"), verdict)
                + _books(view, progress)
            )
            for line in progress.imbalances:
                html(Markup('<p class="bad small">{}</p>').format(line))
            html(_details(view, progress)).style("margin-top: 14px")
        with ui.element("section").classes("panel"):
            html(Markup("<h2>{}</h2>").format(t("books.branches")))
            _branches(view, progress.branches, names)


def _books(view: View, progress: CampaignProgress) -> Markup:
    """Audience = suppressed + held out + planned + assigned, and assigned = done + open + expired."""
    ledger = progress.ledger
    first: list[tuple[str, int]] = [
        ("audience", ledger.audience),
        ("suppressed", sum(ledger.suppressed.values())),
        ("held_out", ledger.held_out),
    ]
    if progress.planned:
        first.append(("planned", progress.planned))
    first.append(("assigned", ledger.assigned))
    second = [
        ("assigned", ledger.assigned),
        ("done", ledger.done),
        ("open", ledger.open),
        ("expired", ledger.expired),
    ]
    return _equation(view, first) + Markup('<div style="height:10px"></div>') + _equation(view, second)


def _equation(view: View, terms: list[tuple[str, int]]) -> Markup:
    book = Markup('<div class="book"><b>{}</b><span>{}</span></div>')
    signs = ["=", *["+"] * (len(terms) - 2)]
    parts = [book.format(whole(terms[0][1]), view.t(f"books.{terms[0][0]}"))]
    for sign, (name, count) in zip(signs, terms[1:], strict=True):
        parts.append(Markup('<span class="sign">{}</span>').format(sign))
        parts.append(book.format(whole(count), view.t(f"books.{name}")))
    return Markup('<div class="books">{}</div>').format(Markup().join(parts))


def _details(view: View, progress: CampaignProgress) -> Markup:
    t, ledger = view.t, progress.ledger
    lines = [
        (t("books.suppressed"), [(t.word("reason", name), n) for name, n in ledger.suppressed.items()]),
        (
            t("books.dispositions"),
            [(t.word("disposition", name), n) for name, n in ledger.dispositions.items()],
        ),
    ]
    shown = [
        Markup('<p class="small"><span class="muted">{}</span>&ensp;{}</p>').format(
            name, " · ".join(f"{label} {whole(count)}" for label, count in counts if count)
        )
        for name, counts in lines
        if any(count for _, count in counts)
    ]
    effort = Markup('<p class="small muted">{}</p>').format(
        t(
            "books.effort",
            minutes=whole(progress.minutes),
            cost=exact_money(progress.cost, "CNY"),
            amount=exact_money(progress.outcome_amount, "CNY"),
        )
    )
    return Markup().join([*shown, effort])


def _branches(view: View, branches: list[Tally], names: Names) -> None:
    t = view.t
    shown = sorted(branches, key=lambda tally: -tally.assigned)[:_BRANCHES]
    parts = {
        t("books.done"): [tally.done for tally in shown],
        t("books.open"): [tally.open for tally in shown],
        t("books.expired"): [tally.expired for tally in shown],
    }
    options = charts.stacked_bars(
        [names.org(tally.key) for tally in shown], parts, (theme.ACCENT, "#b9d6df", theme.HOLD_OUT)
    )
    charts.chart(options, height=max(140, 24 * len(shown) + 80), label=t("books.branches"))
