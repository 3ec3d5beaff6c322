"""The side panel of one task: customer, offer, script step by step, history, and recording a result."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import partial

from markupsafe import Markup
from nicegui import ui

from services.console.api import ApiProblem, segment
from services.console.formats import NOTHING, day, exact_money, moment, percent
from services.console.pages.referral_actions import show_next_offers
from services.console.pages.referral_form import Lead, NeedFields, fetch_choices
from services.console.pages.task_keys import Act, Keys, hint
from services.console.pages.task_script import ScriptWalk
from services.console.pages.task_talk import draw_talk
from services.console.view import View
from services.console.widgets.dialogs import confirm
from services.console.widgets.fields import Places
from services.console.widgets.html import Cell, facts, html, link, tag
from shared.auth import Role
from shared.clock import ZONE
from shared.contracts.campaign import (
    AttemptView,
    OfferView,
    Outcome,
    TaskDetail,
    TaskRecord,
    TaskView,
)
from shared.contracts.campaign.scripts import TaskScript
from shared.contracts.customer import CustomerView
from shared.ids import new_id

Reload = Callable[[], Awaitable[None]]
_DISPOSITIONS = (
    "accepted",
    "interested",
    "call_back",
    "no_answer",
    "refused",
    "wrong_number",
    "do_not_contact",
    "complaint",
    "referred",
)
_NEEDS_NEXT = {"call_back"}
_MAY_HAVE_NEXT = {"call_back", "interested", "no_answer"}
_VERBS = {"assigned": ("accept", "start"), "accepted": ("start",), "call_back": ("start",)}
_KEYS = {"accept": "a", "start": "s"}
_WORKABLE = {"assigned", "accepted", "started", "call_back"}


def draw_task(
    view: View,
    task: TaskDetail,
    script: TaskScript | ApiProblem,
    customer: CustomerView | None,
    again: Reload,
    keys: Keys,
) -> None:
    """`keys`: what was bound to them for another task is forgotten."""
    t = view.t
    keys.forget_task()
    name = customer.name if customer else None
    with ui.element("div").classes("panel-head"):
        html(
            Markup("<h2>{}</h2><p>{}</p>").format(
                link(name or NOTHING, f"/customers/{task.customer_id}"), t.local(task.campaign_name)
            )
        )
        html(tag(t.word("state", task.state), "accent"))
    html(facts(_facts(view, task, customer)))
    walk = ScriptWalk(view, script, keys) if isinstance(script, TaskScript) else None
    _buttons(view, task, walk, again, keys)
    if task.disposition == "accepted":
        look = ui.button(t("next_offers.show"), on_click=lambda: show_next_offers(view, task.customer_id))
        look.props("outline no-caps dense")
    _offer(view, task.offer_detail)
    if walk is not None:
        walk.draw()
    elif isinstance(script, ApiProblem):
        html(Markup('<p class="bad">{}</p>').format(view.t("task.script.failed", why=script.detail)))
    draw_talk(view, task)
    if task.history:
        html(Markup("<h3>{}</h3>").format(t("task.history"))).style("margin-top: 16px; font-weight: 600")
        html(_history(view, task.history)).style("margin-top: 8px")


def _facts(view: View, task: TaskDetail, customer: CustomerView | None) -> list[tuple[str, Cell]]:
    t = view.t
    pairs: list[tuple[str, Cell]] = [
        (t("pii.phone"), (customer.phone if customer else None) or NOTHING),
        (t("task.manager"), task.manager),
        (t("task.due"), day(task.due_on)),
    ]
    if task.next_at:
        pairs.append((t("task.next_at"), moment(task.next_at)))
    pairs.append((t("task.attempts"), str(task.attempts)))
    if task.disposition:
        pairs.append((t("task.result"), t.word("disposition", task.disposition)))
    return pairs


def _offer(view: View, offer: OfferView) -> None:
    t, terms = view.t, offer.terms
    pairs: list[tuple[str, Cell]] = [(t("task.offer"), t.local(offer.name)), (t("task.risk"), offer.risk)]
    if terms.rate is not None:
        pairs.append((t("task.rate"), percent(terms.rate, 2)))
    if terms.minimum is not None:
        pairs.append((t("task.minimum"), exact_money(terms.minimum, offer.currency)))
    if terms.tenor_days is not None:
        pairs.append((t("task.tenor"), t("days", n=terms.tenor_days)))
    pairs.append((t("task.terms"), t.local(terms.text)))
    html(facts(pairs)).style(
        "margin-top: 16px; padding: 12px 14px; background: var(--paper); border-radius: 6px"
    )


def _history(view: View, attempts: list[AttemptView]) -> Markup:
    entry = Markup(
        '<li class="contact"><span class="muted small">{}</span>&ensp;<b>{}</b>'
        '<div class="small">{}</div></li>'
    )
    return Markup('<ol class="line">{}</ol>').format(
        Markup().join(
            entry.format(
                moment(attempt.recorded_at),
                view.t.word("disposition", attempt.disposition),
                " · ".join(
                    part
                    for part in (
                        view.t("minutes", n=attempt.minutes),
                        exact_money(attempt.outcome_amount, "CNY") if attempt.outcome_amount else "",
                        attempt.note or "",
                    )
                    if part
                ),
            )
            for attempt in attempts
        )
    )


# ── what a manager does ───────────────────────────────────────────────────────────────────────────────────


def _buttons(view: View, task: TaskDetail, walk: ScriptWalk | None, again: Reload, keys: Keys) -> None:
    t = view.t

    async def reassign() -> None:
        manager = await confirm(
            t,
            title=t("task.reassign"),
            text=t("task.reassign.confirm"),
            field=t("task.reassign.manager"),
            required=True,
        )
        if manager is not None:
            await _post(view, task, "reassign", {"manager": manager}, again)

    with ui.element("div").classes("actions").style("margin: 14px 0 4px"):
        if task.state in _WORKABLE and view.user.has(Role.manager):
            _work_buttons(view, task, walk, again, keys)
        if task.state in _WORKABLE | {"returned"} and view.user.has(Role.branch_head):
            ui.button(t("task.reassign"), on_click=reassign).props("outline no-caps")


def _work_buttons(view: View, task: TaskDetail, walk: ScriptWalk | None, again: Reload, keys: Keys) -> None:
    t = view.t

    async def record(disposition: str | None = None) -> None:
        if task.state == "started" or await _begun(view, task, again):
            await _record(view, task, walk, again, disposition)

    async def hand_back() -> None:
        reason = await confirm(
            t, title=t("task.return"), text=t("task.return.confirm"), field=t("action.reason"), required=True
        )
        if reason is not None:
            await _post(view, task, "return", {"reason": reason}, again)

    for verb in _VERBS.get(task.state, ()):
        _bound(keys, _KEYS[verb], t(f"task.{verb}"), _does(view, task, verb, again), "outline")
    _bound(keys, "r", t("task.record"), record, "unelevated")
    _bound(keys, "b", t("task.return"), hand_back, "flat")
    for number, disposition in enumerate(_DISPOSITIONS, 1):
        keys.task[f"⇧{number}"] = partial(record, disposition)


def _bound(keys: Keys, key: str, label: str, act: Act, look: str) -> None:
    keys.task[key] = act
    hint(ui.button(label, on_click=act).props(f"{look} no-caps"), key)


def _does(view: View, task: TaskDetail, verb: str, again: Reload) -> Callable[[], Awaitable[None]]:
    async def do() -> None:
        await _post(view, task, verb, None, again)

    return do


async def _post(
    view: View, task: TaskDetail, verb: str, body: dict[str, object] | None, again: Reload
) -> None:
    done = await view.attempt(
        view.api.post("campaign", f"/v1/tasks/{segment(task.id)}:{verb}", TaskView, body)
    )
    if done is not None:
        if done.state == "expired":
            _say_refused(view, done)
        else:
            view.done(view.t("action.done", state=view.t.word("state", done.state)))
        await again()


async def _begun(view: View, task: TaskDetail, again: Reload) -> bool:
    """Whether the contact may be made now; a rule that forbids it has closed the task."""
    path = f"/v1/tasks/{segment(task.id)}:start"
    begun = await view.attempt(view.api.post("campaign", path, TaskView))
    if begun is None or begun.state == "started":
        return begun is not None
    _say_refused(view, begun)
    await again()
    return False


def _say_refused(view: View, task: TaskView) -> None:
    reason = view.t.word("reason", task.reason or task.state)
    ui.notify(view.t("task.refused", reason=reason), type="warning", timeout=9000, close_button="✕")


async def _record(
    view: View, task: TaskDetail, walk: ScriptWalk | None, again: Reload, disposition: str | None
) -> None:
    """Ask, have it confirmed (a result cannot be taken back), send once."""
    with ui.dialog() as dialog, ui.card().classes("dialog") as card:
        form = RecordForm(view, task, walk, disposition)

        async def send() -> None:
            record = form.record()
            if record is None:
                return
            path = f"/v1/tasks/{segment(task.id)}:record"
            sent = view.api.post("campaign", path, TaskView, record, key=form.key)
            done = await view.attempt(sent, form.places())
            if done is not None:
                dialog.submit(done.state)

        with ui.element("div").classes("actions").style("width: 100%"):
            ui.button(view.t("cancel"), on_click=lambda: dialog.submit(None)).props("flat no-caps")
            ui.button(view.t("task.record.send"), on_click=send).props("unelevated no-caps")
        card.on("keydown.capture.ctrl.enter", send)  # a list of choices would keep it to itself
    state = await dialog
    dialog.delete()
    if state is not None:
        view.done(view.t("task.recorded", state=view.t.word("state", str(state))))
        await again()


class RecordForm:
    """What came of one attempt."""

    def __init__(
        self, view: View, task: TaskDetail, walk: ScriptWalk | None, disposition: str | None
    ) -> None:
        """`disposition`: chosen before; else the one the script led to."""
        self._view, self._task, self._walk, t = view, task, walk, view.t
        self.key = str(new_id())
        html(Markup("<h2>{}</h2><p class='muted'>{}</p>").format(t("task.record"), t("task.record.note")))
        with ui.element("div").classes("stack").style("width: 100%"):
            self._disposition = ui.select(
                {code: t(f"disposition.{code}") for code in _DISPOSITIONS},
                label=t("task.disposition"),
                value=disposition or (walk.end if walk else None),
            ).props("outlined autofocus options-dense")
            self._minutes = ui.number(t("task.minutes"), value=5, min=0, max=1440, precision=0).props(
                "outlined"
            )
            self._amount = ui.input(t("task.amount")).props('outlined inputmode="decimal"')
            self._next = ui.input(t("task.next_at")).props('outlined type="datetime-local" stack-label')
            self._note = ui.textarea(t("task.note")).props("outlined autogrow maxlength=4000")
            html(Markup('<p class="muted small">{}</p>').format(t("task.note.privacy")))
            self._referral = ui.element("div")
        self._need: NeedFields | None = None
        self._disposition.on_value_change(self._chosen)
        self._arrange()
        if self._disposition.value == "referred":
            ui.timer(0.1, self._chosen, once=True)

    async def _chosen(self) -> None:
        self._arrange()
        if self._disposition.value == "referred" and self._need is None:
            choices = await self._view.attempt(fetch_choices(self._view))
            if choices is not None:
                with self._referral:
                    self._need = NeedFields(self._view, choices, Lead())

    def _arrange(self) -> None:
        chosen = self._disposition.value
        self._amount.set_visibility(chosen == "accepted")
        self._next.set_visibility(chosen in _MAY_HAVE_NEXT)
        self._referral.set_visibility(chosen == "referred")

    def places(self) -> Places:
        return self._need.places("/referral") if self._need else {}

    def record(self) -> dict[str, object] | None:
        """The request, or nothing after telling what is missing."""
        chosen, t = self._disposition.value, self._view.t
        amount, next_at = self._amount_given(), self._next_given()
        missing = (
            "task.disposition.missing"
            if chosen not in _DISPOSITIONS
            else "task.next_at.missing"
            if chosen in _NEEDS_NEXT and next_at is None
            else "task.amount.missing"
            if chosen == "accepted" and amount is None
            else None
        )
        if missing:
            ui.notify(t(missing), type="warning")
            return None
        record = TaskRecord(
            disposition=chosen,
            minutes=Decimal(int(self._minutes.value or 0)),
            note=str(self._note.value or "").strip() or None,
            next_at=next_at if chosen in _MAY_HAVE_NEXT else None,
            outcome=Outcome(offer=self._task.offer, amount=amount)
            if chosen == "accepted" and amount
            else None,
            path=self._walk.path if self._walk else None,
        ).model_dump(mode="json", exclude_none=True)
        if chosen == "referred" and self._need is not None:
            return {**record, "referral": self._need.body()}
        return record

    def _amount_given(self) -> Decimal | None:
        try:
            amount = Decimal(str(self._amount.value or "").replace(",", "").strip())
        except InvalidOperation:
            return None
        return amount.quantize(Decimal("0.01")) if amount > 0 else None

    def _next_given(self) -> datetime | None:
        try:
            return datetime.fromisoformat(str(self._next.value or "")).replace(tzinfo=ZONE)
        except ValueError:
            return None
