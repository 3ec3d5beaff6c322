"""Tiles: one figure that matters, what it is, and what qualifies it."""

from markupsafe import Markup

from services.console.widgets.html import html


def kpi(label: str, value: str, note: str = "", *, accent: bool = False) -> None:
    html(
        Markup(
            '<div class="kpi-label">{}</div><div class="kpi-value">{}</div><div class="kpi-note">{}</div>'
        ).format(label, value, note)
    ).classes("kpi accent" if accent else "kpi")
