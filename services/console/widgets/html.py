"""Static parts of a page as escaped HTML: `Markup.format` escapes every value put into it."""

from collections.abc import Iterable, Sequence

from markupsafe import Markup
from nicegui import ui

Cell = Markup | str

_ICONS = {
    "board": "M3 13h7V3H3zM14 21h7V11h-7zM14 3v5h7V3zM3 21h7v-5H3z",
    "segments": "M12 3a9 9 0 1 0 9 9h-9zM15 3.6A9 9 0 0 1 20.4 9H15z",
    "segment-studio": "M4 5h16M4 12h10M4 19h7M15 19l5.2-5.2 1.6 1.6L16.6 20.6H15z",
    "targets": "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM12 11.4v1.2",
    "insights": "M9 18h6M10 21h4M12 3a6 6 0 0 0-3 11.2c.5.4.8 1 .8 1.8h4.4c0-.8.3-1.4.8-1.8A6 6 0 0 0 12 3z",
    "ge-matrices": "M4 4h16v16H4zM9.3 4v16M14.7 4v16M4 9.3h16M4 14.7h16",
    "tiers": "M4 20h16M7 20v-5h10v5M9.5 15v-5h5v5M12 10V4",
    "churn": "M12 3l9 16H3zM12 10v4M12 16.6v.4",
    "models": "M5 5h5v5H5zM14 14h5v5h-5zM14 5h5v5h-5zM5 14h5v5H5zM10 7.5h4M16.5 10v4M7.5 10v4M10 16.5h4",
    "campaigns": "M4 10v5h4l9 5V5L8 10zM20.5 9.5v6",
    "strategies": "M7 3v18M7 5h11l-2.6 4L18 13H7",
    "calendar": "M4 6h16v14H4zM4 10.5h16M8 3.5V8M16 3.5V8M8 14h3M13 17h3",
    "contact-policies": "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7v5l3.5 2",
    "channels": "M3.5 11.5L20.5 4l-5 16.5-4-7zM11.5 13.5L20.5 4",
    "wording": "M4 5h16v11H10l-4 4v-4H4zM8 9h8M8 12.4h5",
    "recommendations": "M9 11.5l3 3 8-9M20 12v7a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1h9",
    "service-quality": "M12 3l2.6 5.6 6 .7-4.4 4.2 1.1 6L12 16.6 6.7 19.5l1.1-6L3.4 9.3l6-.7z",
    "quotas": "M4 20V9M10 20V4M16 20v-7M2.5 20h19M20 6.5v0",
    "prices": "M4 12.5V4h8.5L21 12.5 12.5 21zM8.2 8.2v.1M11 14.5l3.5-3.5",
    "workforce": "M9 11a3.4 3.4 0 1 0 0-6.8A3.4 3.4 0 0 0 9 11zM3 20c.5-3.4 2.8-5 6-5s5.5 1.6 6 5M16 8h5",
    "feedback": "M4 5h16v11H10l-4 4v-4H4zM12 7.5v4M12 13.4v.1",
    "opportunities": "M3 5h18l-7 8v6l-4 2v-8z",
    "account-plans": "M6 3h9l4 4v14H6zM15 3v4h4M9 12h7M9 16h5",
    "activity": "M3 13h4l3-8 4 14 3-6h4",
    "scorecards": "M4 6h7M7 6v.1M9 12h9M14 12v.1M6 18h6M9 18v.1M4 3v18",
    "tasks": "M9 6h12M9 12h12M9 18h12M3.5 6l1.3 1.3L7 5M3.5 12l1.3 1.3L7 11M3.5 18l1.3 1.3L7 17",
    "referrals": "M4 12h11M11 7.5l4.5 4.5-4.5 4.5M20 4v16",
    "optimisations": "M4 20V4M4 20h16M7 16l4-5 3 3 6-8M15.5 6H20v4.5",
    "customers": "M12 12a4.2 4.2 0 1 0 0-8.4 4.2 4.2 0 0 0 0 8.4zM4 21c.6-4 3.8-6.2 8-6.2s7.4 2.2 8 6.2",
    "duplicates": "M9 9h11v11H9zM5 15H4V4h11v1",
    "quality": "M12 3l7.5 3v5.2c0 4.6-3 8-7.5 9.8-4.5-1.8-7.5-5.2-7.5-9.8V6zM8.8 12l2.3 2.3 4.2-4.6",
    "handovers": "M4 8h13M13.5 4.5L17 8l-3.5 3.5M20 16H7M10.5 12.5L7 16l3.5 3.5",
    "bank-analyses": "M4 20V4M4 20h16M8 20v-6h3v6M13 20V8h3v12M6 9l4-3 3 2 6-5",
    "analysis": "M4 4h16v16H4zM4 9h16M9 9v11M12.5 16.5l2-2.5 1.5 1.5 2-3",
    "imports": "M12 3v11M7.5 9.8L12 14.3l4.5-4.5M4 16v4h16v-4",
}


def html(content: Markup, *, tag: str = "div") -> ui.html:
    return ui.html(str(content), sanitize=False, tag=tag)


def icon(name: str) -> Markup:
    return Markup(
        '<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.7" stroke-linecap="round"'
        ' stroke-linejoin="round" aria-hidden="true"><path d="{}"/></svg>'
    ).format(_ICONS[name])


def tag(text: str, tone: str = "") -> Markup:
    return Markup('<span class="tag {}">{}</span>').format(tone, text)


def link(text: str, address: str) -> Markup:
    return Markup('<a href="{}">{}</a>').format(address, text)


def two_lines(first: Cell, second: Cell) -> Markup:
    return Markup('{}<div class="muted small">{}</div>').format(first, second)


def bar(share: float | None) -> Markup:
    """A thin progress bar; the number stands beside it as text."""
    width = 0.0 if share is None else min(max(share, 0.0), 1.0) * 100
    return Markup('<div class="bar" aria-hidden="true"><i style="width:{:.1f}%"></i></div>').format(width)


def facts(pairs: Iterable[tuple[str, Cell]]) -> Markup:
    rows = Markup().join(Markup("<dt>{}</dt><dd>{}</dd>").format(name, value) for name, value in pairs)
    return Markup('<dl class="facts">{}</dl>').format(rows)


def table(columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, right: Iterable[int] = ()) -> Markup:
    """A plain table; `right` numbers the columns that hold figures."""
    figures = set(right)

    def cells(cell: Markup, values: Sequence[Cell]) -> Markup:
        return Markup().join(
            cell.format("r" if index in figures else "", value) for index, value in enumerate(values)
        )

    head = Markup("<tr>{}</tr>").format(cells(Markup('<th class="{}">{}</th>'), columns))
    body = Markup().join(
        Markup("<tr>{}</tr>").format(cells(Markup('<td class="{}">{}</td>'), row)) for row in rows
    )
    return Markup(
        '<div class="scroll"><table class="t"><thead>{}</thead><tbody>{}</tbody></table></div>'
    ).format(head, body)
