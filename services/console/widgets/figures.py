"""Panels that hold a picture: its title, what qualifies it, and the picture itself."""

from collections.abc import Iterator
from contextlib import contextmanager

from markupsafe import Markup
from nicegui import ui

from services.console.widgets.html import html


@contextmanager
def panel(title: str, note: str = "", *, side: Markup | str = "") -> Iterator[None]:
    """A section with its title as the name that screen readers tell; `side` stands at the title's right."""
    with ui.element("section").classes("panel") as section:
        section.props["aria-label"] = title
        lines = Markup("<h2>{}</h2>").format(title)
        if note:
            lines += Markup("<p>{}</p>").format(note)
        html(Markup('<div class="panel-head"><div>{}</div>{}</div>').format(lines, side))
        yield
