"""Dialogs: questions before something that cannot be undone, and forms."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from markupsafe import Markup
from nicegui import ui

from services.console.i18n import Texts
from services.console.widgets.html import html

T = TypeVar("T")


async def confirm(
    t: Texts, *, title: str, text: str, field: str | None = None, required: bool = False
) -> str | None:
    """What was written (empty without a field), or None when the user turned back. Escape turns back."""
    with ui.dialog() as dialog, ui.card().classes("dialog").props(f'aria-label="{title}"'):
        html(Markup("<h2>{}</h2><p class='muted'>{}</p>").format(title, text))
        written: ui.textarea | None = None
        with ui.element("div").classes("stack").style("width: 100%"):
            if field:
                written = ui.textarea(field).props("outlined autogrow autofocus maxlength=2000")

        def accept() -> None:
            value = str(written.value or "").strip() if written else ""
            if required and not value:
                ui.notify(t("dialog.required"), type="warning")
                return
            dialog.submit(value)

        with ui.element("div").classes("actions").style("width: 100%"):
            ui.button(t("cancel"), on_click=lambda: dialog.submit(None)).props("flat no-caps")
            ui.button(title, on_click=accept).props("unelevated no-caps")
    answer = await dialog
    dialog.delete()
    return answer if isinstance(answer, str) else None


async def form(
    t: Texts,
    *,
    title: str,
    note: str,
    draw: Callable[[], None],
    save: Callable[[], Awaitable[T | None]],
    wide: bool = False,
    button_text: str | None = None,
) -> T | None:
    """What was saved, or None when the user turned back. Stays open while saving is refused."""
    look = "dialog wide" if wide else "dialog"
    with ui.dialog().props("no-backdrop-dismiss") as dialog, ui.card().classes(look) as card:
        card.props(f'aria-label="{title}"')
        html(Markup("<h2>{}</h2><p class='muted'>{}</p>").format(title, note))
        with ui.element("div").classes("stack").style("width: 100%"):
            draw()

        async def accept() -> None:
            button.disable()
            saved = await save()
            button.enable()
            if saved is not None:
                dialog.submit(saved)

        with ui.element("div").classes("actions").style("width: 100%"):
            ui.button(t("cancel"), on_click=lambda: dialog.submit(None)).props("flat no-caps")
            button = ui.button(button_text or t("save"), on_click=accept).props("unelevated no-caps")
    answer: T | None = await dialog
    dialog.delete()
    return answer
