"""One quote: its figures as priced, and submitting, approving, rejecting it."""

from collections.abc import Awaitable, Callable

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import day, moment
from services.console.frame import heading
from services.console.pages.price_figures import draw_figures
from services.console.pages.prices import SELLERS
from services.console.pages.words import state_tag
from services.console.view import View, page
from services.console.widgets.dialogs import confirm
from services.console.widgets.html import facts, html, link
from shared.auth import Role
from shared.contracts.campaign.quotes import QuoteVerb, QuoteView

_CHECKERS = (Role.branch_head, Role.strategist, Role.approver)
Reload = Callable[[], Awaitable[None]]


@page("/prices/{quote_id}", title="prices.quote", nav="prices")
async def price_quote_page(view: View, quote_id: str) -> None:
    async def fetch() -> QuoteView:
        return await view.api.get("campaign", f"/v1/price-quotes/{segment(quote_id)}", QuoteView)

    async def again() -> None:
        await reload()

    reload = view.section(fetch, lambda quote: _draw(view, quote, again), height=480)


def _draw(view: View, quote: QuoteView, again: Reload) -> None:
    t = view.t
    customer = str(quote.customer_id)
    title = t("prices.quote_for", customer=customer[-12:])
    with heading(title, quote.note, crumb=link(t("prices.title"), "/prices")):
        html(state_tag(t, quote.status))
        html(link(t("prices.open_customer"), f"/customers/{customer}"))
        _buttons(view, quote, again)
    draw_figures(view, quote)
    html(facts(_course(view, quote))).classes("panel")


def _course(view: View, quote: QuoteView) -> list[tuple[str, Markup | str]]:
    t = view.t
    pairs: list[tuple[str, Markup | str]] = [
        (t("prices.made"), f"{quote.created_by} · {moment(quote.created_at)}"),
        (t("prices.column.until"), day(quote.valid_until)),
    ]
    if quote.submitted_by:
        pairs.append((t("prices.submitted"), f"{quote.submitted_by} · {moment(quote.submitted_at)}"))
    if quote.decided_by:
        pairs.append((t("prices.decided"), f"{quote.decided_by} · {moment(quote.decided_at)}"))
    if quote.decision_comment:
        pairs.append((t("prices.comment"), quote.decision_comment))
    return pairs


def _buttons(view: View, quote: QuoteView, again: Reload) -> None:
    t = view.t
    had_a_hand = view.user.id in {quote.created_by, quote.edited_by, quote.submitted_by}
    if view.user.has(*SELLERS):
        if "edit" in quote.verbs:
            address = f"/prices?quote={quote.id}"
            button = ui.button(t("prices.edit"), on_click=lambda: ui.navigate.to(address))
            button.props("outline no-caps")
        if "submit" in quote.verbs:
            button = ui.button(t("prices.submit"), on_click=lambda: _act(view, quote, "submit", again))
            button.props("unelevated no-caps")
    if view.user.has(*_CHECKERS) and "approve" in quote.verbs and not had_a_hand:
        for verb, look in (("reject", "outline"), ("approve", "unelevated")):
            button = ui.button(t(f"prices.{verb}"), on_click=lambda what=verb: _act(view, quote, what, again))
            button.props(f"{look} no-caps")


async def _act(view: View, quote: QuoteView, verb: QuoteVerb, again: Reload) -> None:
    t = view.t
    body: dict[str, str] | None = None
    if verb != "submit":
        written = await confirm(
            t,
            title=t(f"prices.{verb}"),
            text=t(f"prices.{verb}.confirm"),
            field=t("prices.comment"),
            required=verb == "reject",
        )
        if written is None:
            return
        body = {"reason" if verb == "reject" else "comment": written}
    path = f"/v1/price-quotes/{segment(quote.id)}:{verb}"
    action = view.api.post("campaign", path, QuoteView, body, if_match=quote.version)
    done = await view.attempt(action)
    if done is not None:
        view.done(t("prices.done", state=t.word("state", done.status)))
        await again()
