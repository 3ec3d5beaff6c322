"""Which column of the file becomes which column of the data set: proposed, then corrected by hand."""

from dataclasses import dataclass

from markupsafe import Markup
from nicegui import ui

from services.console.formats import percent
from services.console.view import View
from services.console.widgets.html import Cell, html, table, tag
from shared.contracts.customer.imports import ColumnSource, FileColumnView, ImportMapping, ImportProposal

_NONE, _CONSTANT = "", "="


@dataclass
class _Line:
    """One column of the data set and what was chosen for it."""

    target: str
    required: bool
    proposed: ColumnSource | None
    choice: ui.select
    constant: ui.input

    def source(self) -> ColumnSource | None:
        chosen = str(self.choice.value or _NONE)
        if chosen == _NONE:
            return None
        if chosen == _CONSTANT:
            text = str(self.constant.value or "").strip()
            return ColumnSource(constant=text) if text else None
        if self.proposed is not None and self.proposed.column == chosen:
            return self.proposed
        return ColumnSource(column=chosen, trim=True)


class MappingTable:
    """A line for every column of the data set; the proposal is what they start with."""

    def __init__(self, view: View, proposal: ImportProposal) -> None:
        self._view = view
        self._proposal = proposal
        self._lines: list[_Line] = []
        self._kept: dict[str, ColumnSource] = {}

    def draw(self) -> None:
        t, proposal = self._view.t, self._proposal
        proposed = {one.target: one for one in proposal.proposals}
        required = {one.target for one in proposal.missing if one.required}
        targets = [*proposed, *(one.target for one in proposal.missing)]
        options = {_NONE: t("mapping.none"), _CONSTANT: t("mapping.constant")}
        options |= {column.name: column.name for column in proposal.columns}
        with ui.element("div").classes("mapping"):
            for target in targets:
                one = proposed.get(target)
                source = one.source if one else None
                if source is not None and source.template is not None:
                    self._kept[target] = source
                    continue
                self._line(target, source, options, required=target in required)
                if one is not None:
                    html(
                        Markup('<span class="muted small">{} · {}</span>').format(
                            percent(one.confidence, 0), one.reason
                        )
                    )
                else:
                    html(Markup('<span class="muted small">{}</span>').format(""))
        for target, source in self._kept.items():
            html(Markup('<p class="small">{} ← <code>{}</code></p>').format(target, source.template))
        with ui.expansion(t("mapping.columns", n=len(proposal.columns))).classes("small"):
            html(_columns(self._view, proposal.columns))

    def _line(
        self, target: str, source: ColumnSource | None, options: dict[str, str], *, required: bool
    ) -> None:
        t = self._view.t
        mark = tag(t("mapping.required"), "warn") if required else Markup("")
        html(Markup("<code>{}</code> {}").format(target, mark))
        value = _NONE if source is None else source.column or _CONSTANT
        with ui.element("div").classes("actions"):
            choice = ui.select(options, value=value, with_input=True).props("outlined dense options-dense")
            choice.props(f'aria-label="{target}"').style("min-width: 220px")
            constant = ui.input(value=(source.constant or "") if source else "").props("outlined dense")
            constant.props(f'aria-label="{t("mapping.constant")} {target}"')
            constant.bind_visibility_from(choice, "value", value=_CONSTANT)
        self._lines.append(_Line(target, required, source, choice, constant))

    def mapping(self) -> ImportMapping:
        chosen = {line.target: source for line in self._lines if (source := line.source()) is not None}
        return ImportMapping(columns={**self._kept, **chosen})

    def missing(self) -> list[str]:
        """Required columns nothing was chosen for."""
        return [line.target for line in self._lines if line.required and line.source() is None]


def _columns(view: View, columns: list[FileColumnView]) -> Markup:
    t = view.t
    rows: list[list[Cell]] = [
        [
            Markup("<code>{}</code>").format(column.name),
            t.word("column_type", column.type),
            percent(column.null_share, 0),
            f"{column.distinct:,}",
            Markup("<code>{}</code>").format(" · ".join(column.categories or column.samples)[:160]),
        ]
        for column in columns
    ]
    names = ("name", "type", "empty", "distinct", "samples")
    return table([t(f"mapping.{name}") for name in names], rows, right=(2, 3))
