"""One pair beside the list: both files, the evidence, what a merge would do, and the decision."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import NOTHING, percent
from services.console.view import View
from services.console.widgets.dialogs import confirm
from services.console.widgets.html import Cell, html, link, table, tag
from services.console.widgets.states import empty_state
from shared.contracts.customer.identity import DuplicateCustomer, DuplicateView, MergeRequest, MergeResult

_SHOWN = ("name", "id_number", "phone", "kind", "org")


class PairPanel:
    """What is decided about the chosen pair; the list loads again after a decision."""

    def __init__(self, view: View, place: ui.element, changed: Callable[[], Awaitable[None]]) -> None:
        self._view = view
        self._place = place
        self._changed = changed
        self.close()

    def close(self) -> None:
        t = self._view.t
        self._place.clear()
        with self._place:
            empty_state(t("duplicates.none_chosen"), t("duplicates.none_chosen.do"))

    def open(self, pair: DuplicateView) -> None:
        t = self._view.t
        self._place.clear()
        with self._place:
            html(Markup("<h2>{} {}</h2>").format(t("duplicates.score"), percent(pair.score, 0)))
            html(_side_by_side(self._view, pair.customers))
            html(Markup("<h3>{}</h3>").format(t("duplicates.evidence"))).style("margin-top: 14px")
            html(_evidence(self._view, pair))
            if pair.state == "dismissed":
                decided = f"{pair.decided_by} · {pair.reason or NOTHING}"
                html(Markup('<p class="muted small">{}</p>').format(decided))
            names = {str(one.id): one.name or str(one.id) for one in pair.customers}
            keep = ui.radio(names, value=next(iter(names))).props("inline dense")
            keep.props(f'aria-label="{t("duplicates.keep")}"')
            result = ui.element("div").classes("stack")
            self._actions(pair, keep, result)

    def _actions(self, pair: DuplicateView, keep: ui.radio, result: ui.element) -> None:
        t = self._view.t
        with ui.element("div").classes("actions").style("margin-top: 12px"):
            trial = ui.button(t("duplicates.try")).props("outline no-caps")
            trial.on_click(lambda: self._try(pair, str(keep.value), result))
            merge = ui.button(t("duplicates.merge")).props("unelevated no-caps")
            merge.on_click(lambda: self._merge(pair, str(keep.value)))
            if pair.state == "open":
                dismiss = ui.button(t("duplicates.dismiss")).props("flat no-caps")
                dismiss.on_click(lambda: self._dismiss(pair))

    async def _try(self, pair: DuplicateView, survivor: str, place: ui.element) -> None:
        """What the merge would do, without doing it."""
        found = await self._view.attempt(
            self._send(pair, survivor, self._view.t("duplicates.try"), dry_run=True)
        )
        if found is None:
            return
        place.clear()
        with place:
            html(_outcome(self._view, found))

    async def _merge(self, pair: DuplicateView, survivor: str) -> None:
        t = self._view.t
        reason = await confirm(
            t,
            title=t("duplicates.merge"),
            text=t("duplicates.merge.confirm"),
            field=t("action.reason"),
            required=True,
        )
        if reason is None:
            return
        done = await self._view.attempt(self._send(pair, survivor, reason, dry_run=False))
        if done is not None:
            self._view.done(t("duplicates.merged"))
            await self._changed()

    async def _send(self, pair: DuplicateView, survivor: str, reason: str, *, dry_run: bool) -> MergeResult:
        kept = UUID(survivor)
        body = MergeRequest(
            survivor=kept,
            merged=[one.id for one in pair.customers if one.id != kept],
            reason=reason,
            dry_run=dry_run,
        )
        return await self._view.api.post("customer", "/v1/customers:merge", MergeResult, body)

    async def _dismiss(self, pair: DuplicateView) -> None:
        t = self._view.t
        reason = await confirm(
            t,
            title=t("duplicates.dismiss"),
            text=t("duplicates.dismiss.confirm"),
            field=t("action.reason"),
            required=True,
        )
        if reason is None:
            return
        path = f"/v1/duplicates/{segment(pair.id)}:dismiss"
        done = await self._view.attempt(
            self._view.api.post("customer", path, DuplicateView, {"reason": reason})
        )
        if done is not None:
            await self._changed()


def _side_by_side(view: View, customers: list[DuplicateCustomer]) -> Markup:
    t = view.t
    rows: list[list[Cell]] = [
        [t(f"duplicates.field.{name}"), *(_shown(view, one, name) for one in customers)] for name in _SHOWN
    ]
    heads = [link(str(one.id)[:8], f"/customers/{one.id}") for one in customers]
    return table(["", *heads], rows)


def _shown(view: View, customer: DuplicateCustomer, name: str) -> str:
    value = getattr(customer, name)
    return NOTHING if value is None else view.t.word("customer_kind", str(value))


def _evidence(view: View, pair: DuplicateView) -> Markup:
    t = view.t
    return Markup(" ").join(
        tag(
            f"{t.word('match', one.key)} {'=' if one.verdict == 'agree' else '≠'} {one.weight:+.1f}",
            "good" if one.verdict == "agree" else "bad",
        )
        for one in pair.evidence
    )


def _outcome(view: View, found: MergeResult) -> Markup:
    t = view.t
    rows: list[list[Cell]] = [
        [
            t.word("field", choice.attribute),
            choice.value or NOTHING,
            t.word("merge_rule", choice.rule),
            tag(t("duplicates.changes"), "warn") if choice.changed else "",
        ]
        for choice in found.attributes
        if choice.distinct > 0
    ]
    names = [t(f"duplicates.{name}") for name in ("attribute", "value", "rule", "change")]
    conflicts = Markup().join(
        Markup('<p class="{}">{}</p>').format("bad small" if one.blocking else "warn small", one.detail)
        for one in found.conflicts
    )
    return Markup("<h3>{}</h3>{}{}").format(t("duplicates.outcome"), conflicts, table(names, rows))
