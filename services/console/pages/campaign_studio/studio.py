"""The studio of one campaign: what is stored, what stands in the forms, and the way from one to the other."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from markupsafe import Markup
from nicegui import ui

from services.console.api import ApiProblem
from services.console.pages.campaign_studio import saving
from services.console.pages.campaign_studio.bodies import Body, changed, part_of, together
from services.console.pages.campaign_studio.choices import Choices
from services.console.pages.campaign_studio.copies import copy_of, nothing, with_parts
from services.console.pages.campaign_studio.step import Step, typed
from services.console.pages.campaign_studio.stepper import Stepper
from services.console.pages.campaign_studio.steps import REQUIRED, STEPS
from services.console.pages.words import state_tag
from services.console.view import View
from services.console.widgets.dialogs import confirm
from services.console.widgets.fields import Place, clear_problems, show_problems, text_field
from services.console.widgets.html import html
from shared.contracts.base import ProblemItem
from shared.contracts.campaign import CampaignContent, CampaignView

R = TypeVar("R")
DECIDED = frozenset({"in_review", "approved", "scheduled"})
"""States whose review or approval an edit voids."""
_LOOK_SECONDS = 0.5


class Studio:
    """`stored`: the campaign to change, else a new one is made, from a copy of `original` if there is one."""

    def __init__(
        self, view: View, known: Choices, stored: CampaignView | None, original: CampaignView | None
    ) -> None:
        self._view, self._t = view, view.t
        self.stored = stored
        self._original = original
        self._steps: list[Step] = [build(view, known) for build in STEPS]
        self._stepper = Stepper(view.t, self._steps)
        self._drawn: Body = {}
        self.after: Callable[[], None] = lambda: None
        """Called when what is stored has changed."""

    # ── what it looks like ──

    def draw_head(self) -> None:
        t = self._t
        with ui.element("section").classes("panel"):
            with ui.element("div").classes("actions").style("justify-content: space-between"):
                self._key = text_field(t("field.key"), self._first_key())
                self._key.style("min-width: 320px")
                self._key.set_enabled(self.stored is None)
                self._state = html(Markup()).props('aria-live="polite" data-state')
            self._warning = html(Markup()).props('role="status" data-warning')
            self._conflict = ui.element("div").props('aria-live="assertive" data-conflict')

    def draw_list(self) -> None:
        self._stepper.draw_list()

    def draw_forms(self) -> None:
        self._stepper.draw_forms()
        self._refill()
        ui.timer(_LOOK_SECONDS, self._look)

    def _first_key(self) -> str:
        if self.stored:
            return self.stored.key
        return f"{self._original.key}-copy"[:80] if self._original else ""

    def _content(self) -> CampaignContent:
        if self.stored:
            return self.stored
        return copy_of(self._original, self._view.user) if self._original else nothing()

    def _refill(self, mine: Body | None = None) -> None:
        """The forms as stored, but for the parts `mine`, which stay as they are typed."""
        mine = mine or {}
        content, unread = with_parts(self._content(), mine) if mine else (self._content(), set[str]())
        self._stepper.fill(content, besides=unread)
        body = self._body()
        self._drawn = {part: self._drawn.get(part) if part in mine else body[part] for part in body}
        self._look()

    def _look(self) -> None:
        """Marks follow what is typed. Compared, not listened to: a part that was taken away says nothing."""
        # What a new campaign or a copy begins with is no change of it.
        changes = changed(self._body(), self._drawn)
        missing = self._missing()

        def stand_of(step: Step) -> str:
            if any(place.error for place in step.places().values()):
                return "wrong"
            if self.stored and any(part in changes for part in step.parts):
                return "unsaved"
            if any(part in missing for part in step.parts):
                return "missing"
            return "complete" if any(part in REQUIRED for part in step.parts) else "optional"

        self._stepper.mark(stand_of)
        self._say_state(unsaved=bool(changes))

    def _say_state(self, *, unsaved: bool) -> None:
        """The page asks before it is left while its state is marked as unsaved."""
        t, stored = self._t, self.stored
        said = state_tag(t, stored.status) if stored else state_tag(t, "draft")
        if stored is None:
            note = t("campaign_studio.new.note")
        elif unsaved:
            note = t("campaign_studio.unsaved")
        else:
            note = t("campaign_studio.saved_as", n=stored.version, by=_person(stored.edited_by))
        warn = stored is not None and stored.status in DECIDED
        words = t("campaign_studio.voids") if warn else ""
        self._state.props("data-unsaved" if unsaved else "", remove="" if unsaved else "data-unsaved")
        _show(self._state, Markup('{} <span class="muted small">{}</span>').format(said, note))
        _show(self._warning, Markup('<p class="warn small">{}</p>').format(words) if words else Markup())

    def _missing(self) -> set[str]:
        if self.stored:
            return {part_of(pointer) for pointer in self.stored.missing}
        body = self._body()
        return {part for part in REQUIRED if body.get(part) is None}

    # ── what stands in the forms ──

    def _body(self) -> Body:
        return together(step.body() for step in self._steps)

    def changes(self) -> dict[str, Any]:
        """By part; of a new campaign all that is filled in."""
        body = self._body()
        if self.stored is None:
            return {part: value for part, value in body.items() if value is not None}
        return changed(body, self._drawn)

    def places(self) -> dict[str, Place]:
        places: dict[str, Place] = {"/key": self._key}
        for step in self._steps:
            places |= step.places()
        return places

    # ── what can be done ──

    async def save(self) -> bool:
        """Whether all of it is stored as it stands in the forms."""
        t, stored, changes = self._t, self.stored, self.changes()
        if stored is not None and not changes:
            self._view.done(t("campaign_studio.nothing"))
            return True
        if stored is not None and stored.status in DECIDED and not await self._may_void(stored):
            return False
        clear_problems(self.places())
        write = saving.write(self._view.api, stored, typed(self._key), changes)
        written = await self._told(write)
        if written is None:
            return False
        self._keep(written.campaign, written.saved)
        if written.refused:
            self._say_wrong(written.refused)
            left = sorted({part_of(each.pointer) for each in written.refused})
            names = t("comma").join(t.word("content", part) for part in left)
            ui.notify(t("campaign_studio.saved.but", parts=names), type="warning", timeout=9000)
            return False
        self._view.done(t("campaign_studio.saved"))
        return True

    async def _may_void(self, stored: CampaignView) -> bool:
        t = self._t
        text = t("campaign_studio.void.confirm", state=t.word("state", stored.status))
        return await confirm(t, title=t("campaign_studio.save"), text=text) is not None

    def _keep(self, campaign: CampaignView, saved: Body) -> None:
        if self.stored is None:
            self._key.set_enabled(False)
            self._drawn = dict.fromkeys(self._body())
            ui.navigate.history.replace(f"/campaign-studio?campaign={campaign.id}")
        arms_before, self.stored = _arms_of(self.stored), campaign
        self._drawn |= saved
        self._conflict.clear()
        if arms_before == _arms_of(campaign):
            self._look()
        else:
            # Journeys are written for arms that are stored.
            self._refill(self.changes())
        self.after()

    async def submit(self) -> None:
        """What was changed is saved first."""
        t = self._t
        if (self.stored is None or self.changes()) and not await self.save():
            return
        stored = self.stored
        if stored is None:
            return
        name = t.local(stored.name)
        text = t("action.submit.confirm", name=name)
        if await confirm(t, title=t("action.submit"), text=text) is None:
            return
        clear_problems(self.places())
        if await self._told(saving.submit(self._view.api, stored)) is not None:
            ui.navigate.to(f"/campaigns/{stored.id}")

    async def withdraw(self) -> None:
        """Back from review or approval to a draft, as it is."""
        if self.stored is None or not await self._may_void(self.stored):
            return
        taken = await self._told(saving.take_back(self._view.api, self.stored))
        if taken is not None:
            self._keep(taken, {})
            self._view.done(self._t("campaign_studio.withdrawn"))

    async def discard(self) -> None:
        t = self._t
        text = t("campaign_studio.discard.confirm")
        if await confirm(t, title=t("campaign_studio.discard"), text=text) is not None:
            clear_problems(self.places())
            self._refill()

    # ── what went wrong ──

    async def _told(self, action: Awaitable[R]) -> R | None:
        """What came of it, or nothing, and then what is wrong stands at its place."""
        try:
            return await action
        except ApiProblem as problem:
            if problem.status == 401:
                self._view.to_sign_in()
            elif problem.status == 412 and self.stored is not None:
                await self._tell_conflict(self.stored)
            else:
                homeless = self._say_wrong(problem.errors)
                if homeless or not problem.errors:
                    self._view.notify(problem, homeless)
            return None

    def _say_wrong(self, problems: list[ProblemItem]) -> list[ProblemItem]:
        """At the fields, of which the first is shown; those that have none come back."""
        homeless = show_problems(self._t, self.places(), problems)
        self._look()
        self._stepper.open_first(lambda step: any(place.error for place in step.places().values()))
        return homeless

    async def _tell_conflict(self, stored: CampaignView) -> None:
        """Somebody else was faster: what they changed, and whose word shall count."""
        t, found = self._t, await self._view.attempt(saving.newest(self._view.api, stored))
        if found is None:
            return
        theirs = {
            part for part in CampaignContent.model_fields if getattr(found, part) != getattr(stored, part)
        }
        mine = self.changes()
        names = t("comma").join(t.word("content", part) for part in sorted(theirs)) or t(
            "campaign_studio.none"
        )
        both = t("comma").join(t.word("content", part) for part in sorted(theirs & mine.keys()))
        said = t("campaign_studio.conflict", by=_person(found.edited_by), n=found.version, parts=names)
        if both:
            said = f"{said} {t('campaign_studio.conflict.both', parts=both)}"

        def settle(kept: Body) -> None:
            self.stored = found
            self._conflict.clear()
            self._refill(kept)
            self.after()

        self._conflict.clear()
        with self._conflict:
            html(Markup('<p class="bad small" role="alert">{}</p>').format(said))
            with ui.element("div").classes("actions"):
                theirs_button = ui.button(t("campaign_studio.conflict.theirs"), on_click=lambda: settle({}))
                theirs_button.props("outline no-caps dense")
                mine_button = ui.button(t("campaign_studio.conflict.mine"), on_click=lambda: settle(mine))
                mine_button.props("outline no-caps dense")


def _show(place: ui.html, words: Markup) -> None:
    if place.content != str(words):
        place.set_content(str(words))


def _person(principal: str) -> str:
    return principal.removeprefix("user:")


def _arms_of(campaign: CampaignView | None) -> list[str]:
    return [arm.key for arm in campaign.scheme.arms] if campaign and campaign.scheme else []
