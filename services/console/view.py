"""A page as one user sees it: texts, access, and sections that load, fail and retry on their own."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import quote

from markupsafe import Markup
from nicegui import background_tasks, ui
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.console import session
from services.console.api import Api, ApiProblem
from services.console.frame import frame
from services.console.i18n import Texts
from services.console.runtime import runtime
from services.console.session import User
from services.console.widgets.fields import Places, clear_problems, show_problems
from services.console.widgets.html import html
from services.console.widgets.states import error_state, skeleton
from shared.contracts.base import ProblemItem

P = ParamSpec("P")
T = TypeVar("T")
Builder = Callable[Concatenate["View", P], Awaitable[None]]

# What has arrived by then is in the first response; the rest follows over the socket.
PATIENCE_SECONDS = 0.8
_QUASAR = {"zh": "zh-CN", "en": "en-US"}


@dataclass
class View:
    t: Texts
    user: User
    api: Api
    _loading: set[asyncio.Task[None]] = field(default_factory=set)

    def section(
        self,
        fetch: Callable[[], Awaitable[T]],
        draw: Callable[[T], None],
        *,
        height: int = 180,
    ) -> Callable[[], Coroutine[Any, Any, None]]:
        """A part of the page that shows its data, or why it cannot. Returns what loads it again."""
        box = ui.element("div").classes("stack").props('aria-live="polite"')
        with box:
            skeleton(height)

        async def load() -> None:
            try:
                data = await fetch()
            except ApiProblem as problem:
                box.clear()
                with box:
                    if problem.status == 401:
                        self.to_sign_in()
                    else:
                        error_state(self.t, problem, retry=load)
                return
            box.clear()
            with box:
                draw(data)

        task = background_tasks.create(load(), name="console section")
        self._loading.add(task)
        task.add_done_callback(self._loading.discard)
        return load

    async def settle(self) -> None:
        if self._loading:
            await asyncio.wait(set(self._loading), timeout=PATIENCE_SECONDS)

    async def optional(self, fetch: Awaitable[T]) -> T | None:
        """Something the page can do without: nothing when the user may not see it or it is not there."""
        try:
            return await fetch
        except ApiProblem as problem:
            if problem.status == 401:
                raise
            return None

    async def attempt(self, action: Awaitable[T], places: Places | None = None) -> T | None:
        """Do what a button says; a refusal becomes a notification that says what to do, and what is wrong
        with the fields of a form stands at their `places`.
        """
        clear_problems(places or {})
        try:
            return await action
        except ApiProblem as problem:
            homeless = show_problems(self.t, places or {}, problem.errors)
            if problem.status == 401:
                self.to_sign_in()
            elif homeless or not problem.errors:
                self.notify(problem, homeless)
            return None

    def notify(self, problem: ApiProblem, errors: Sequence[ProblemItem]) -> None:
        parts = [advice(self.t, problem), *(f"{error.pointer}: {error.detail}" for error in errors)]
        ui.notify("\n".join(parts), type="negative", multi_line=True, timeout=9000, close_button="✕")

    def bank_wide(self, button: ui.button) -> ui.button:
        """What it does counts for every branch: elsewhere than at head office it cannot be pressed, and says
        why.
        """
        if not self.user.at_head_office:
            button.disable()
            button.props["title"] = self.t("head_office.only")
        return button

    def bank_wide_form(self) -> bool:
        """Whether to draw a form whose result counts for every branch; elsewhere the reason stands there."""
        if not self.user.at_head_office:
            html(Markup('<p class="muted small">{}</p>').format(self.t("head_office.only")))
        return self.user.at_head_office

    def done(self, text: str) -> None:
        ui.notify(text, type="positive", timeout=3500)

    def to_sign_in(self) -> None:
        session.sign_out()
        ui.navigate.to("/sign-in?expired=1")


def advice(t: Texts, problem: ApiProblem) -> str:
    known = problem.status if problem.status in {400, 403, 404, 409, 412, 422, 429} else 503
    return f"{t(f'problem.{known}')} {problem.detail}"


def page(path: str, *, title: str, nav: str) -> Callable[[Builder[P]], Builder[P]]:
    """Register a page for signed-in users. `title`: text key; `nav`: the entry it stands under."""

    def register(build: Builder[P]) -> Builder[P]:
        async def opened(request: Request, *args: P.args, **given: P.kwargs) -> Response | None:
            user = session.signed_in()
            if user is None:
                return RedirectResponse(f"/sign-in?next={quote(request.url.path)}", status_code=303)
            t = Texts(session.language())
            speak(t)
            ui.page_title(f"{t(title)} · {t('product')}")
            view = View(t, user, Api(runtime().clients, user.token))
            with frame(t, user, nav):
                await build(view, *args, **given)
                await view.settle()
            return None

        own = list(inspect.signature(build).parameters.values())[1:]
        request = inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Request)
        opened.__signature__ = inspect.Signature([request, *own])  # type: ignore[attr-defined]
        ui.page(path)(opened)
        return build

    return register


def speak(t: Texts) -> None:
    """Set the language of this response alone: the page object is shared by everybody."""
    client = ui.context.client
    client.page = copy(client.page)
    client.page.language = _QUASAR[t.language]  # type: ignore[assignment]
