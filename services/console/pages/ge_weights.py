"""Weights by comparing factors two at a time; the consistency is told with every answer."""

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from itertools import combinations

from markupsafe import Markup
from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from services.console.api import segment
from services.console.formats import percent
from services.console.view import View
from services.console.widgets.html import Cell, bar, html, table, tag
from shared.contracts.segmentation.ge_matrix import (
    FactorGroup,
    GeMatrixView,
    WeighedFactor,
    Weighing,
    WeighMethod,
)

_ACCEPTABLE = 0.1
_METHODS = (WeighMethod.ahp, WeighMethod.paired, WeighMethod.paired_4)
_SAATY = {**{float(n): str(n) for n in range(9, 0, -1)}, **{1 / n: f"1/{n}" for n in range(2, 10)}}
_CHOICES: dict[WeighMethod, dict[float, str]] = {
    WeighMethod.ahp: _SAATY,
    WeighMethod.paired: {1.0: "1 : 0", 0.5: "0.5 : 0.5", 0.0: "0 : 1"},
    WeighMethod.paired_4: {float(n): f"{n} : {4 - n}" for n in range(4, -1, -1)},
}
_ALIKE = {WeighMethod.ahp: 1.0, WeighMethod.paired: 0.5, WeighMethod.paired_4: 2.0}


def build_weights(view: View, key: str, saved: Callable[[], Awaitable[None]]) -> None:
    """`saved` is told of new weights."""
    path = f"/v1/ge-matrices/{segment(key)}"

    async def fetch() -> GeMatrixView:
        return await view.api.get("segmentation", path, GeMatrixView)

    def draw(found: GeMatrixView) -> None:
        with ui.element("div").classes("grid cols-2"):
            for group in FactorGroup:
                with ui.element("section").classes("panel"):
                    WeightEditor(view, path, group, found, saved).draw()

    view.section(fetch, draw, height=360)


def _nearest(choices: Iterable[float], value: float) -> float:
    return min(choices, key=lambda choice: abs(choice - value))


class WeightEditor:
    """One group's comparisons: every pair once, the other half follows."""

    def __init__(
        self,
        view: View,
        path: str,
        group: FactorGroup,
        found: GeMatrixView,
        saved: Callable[[], Awaitable[None]],
    ) -> None:
        self._view, self._path, self._group, self._saved = view, path, group, saved
        self._factors: list[WeighedFactor] = getattr(found, group)
        self._stored = found.weighing[group]
        self._method = self._stored.method if self._stored.comparisons else WeighMethod.ahp
        self._chosen: dict[tuple[int, int], float] = {}

    def draw(self) -> None:
        t = self._view.t
        html(Markup("<h2>{}</h2>").format(t(f"ge.{self._group}")))
        methods = {str(method): t.word("weigh_method", method) for method in _METHODS}
        method = ui.select(methods, value=str(self._method), label=t("ge.method"))
        method.props("outlined dense options-dense").style("min-width: 220px")
        self._pairs = ui.element("div").classes("stack").style("margin: 10px 0")
        self._shown = ui.element("div").props('aria-live="polite"')
        with ui.element("div").classes("actions"):
            save = ui.button(t("ge.save_weights"), on_click=self._save)
            self._view.bank_wide(save).props("unelevated no-caps")
        self._ask()
        self._show(self._stored)

        async def switch() -> None:
            self._method = WeighMethod(str(method.value))
            self._ask()
            await self._try()

        method.on_value_change(switch)

    def _ask(self) -> None:
        """A question per pair, answered as stored or as alike."""
        t, names = self._view.t, [self._view.t.local(factor.name) for factor in self._factors]
        choices = _CHOICES[self._method]
        same = self._stored.comparisons if self._stored.method == self._method else None
        self._pairs.clear()
        with self._pairs:
            for row, column in combinations(range(len(names)), 2):
                value = same[row][column] if same else _ALIKE[self._method]
                value = _nearest(choices, value)
                self._chosen[row, column] = value
                with ui.element("div"):
                    label = t("ge.compare", first=names[row], second=names[column])
                    box = ui.select(choices, value=value, label=label)
                    box.props("outlined dense options-dense").style("min-width: 260px")
                    box.on_value_change(partial(self._answer, (row, column)))

    async def _answer(self, at: tuple[int, int], event: ValueChangeEventArguments[float]) -> None:
        self._chosen[at] = float(event.value)
        await self._try()

    def _body(self, *, dry_run: bool) -> dict[str, object]:
        size = range(len(self._factors))
        whole = {WeighMethod.paired: 1.0, WeighMethod.paired_4: 4.0}.get(self._method)

        def entry(row: int, column: int) -> float:
            if row == column:
                return _ALIKE[self._method]
            if row < column:
                return self._chosen[row, column]
            forth = self._chosen[column, row]
            return 1 / forth if whole is None else whole - forth

        return {
            "group": str(self._group),
            "method": str(self._method),
            "comparisons": [[entry(row, column) for column in size] for row in size],
            "dry_run": dry_run,
        }

    async def _try(self) -> None:
        found = await self._view.attempt(self._send(dry_run=True))
        if found is not None:
            self._show(found)

    async def _save(self) -> None:
        found = await self._view.attempt(self._send(dry_run=False))
        if found is not None:
            self._show(found)
            self._view.done(self._view.t("ge.saved_weights"))
            await self._saved()

    async def _send(self, *, dry_run: bool) -> Weighing:
        body = self._body(dry_run=dry_run)
        return await self._view.api.post("segmentation", f"{self._path}:weigh", Weighing, body)

    def _show(self, found: Weighing) -> None:
        t = self._view.t
        names = {factor.key: t.local(factor.name) for factor in self._factors}
        rows: list[list[Cell]] = [
            [name, Markup("{}{}").format(percent(found.weights[key]), bar(found.weights[key]))]
            for key, name in names.items()
        ]
        self._shown.clear()
        with self._shown:
            html(table([t("ge.factor"), t("ge.weight")], rows, right=(1,)))
            if found.consistency_ratio is None:
                return
            good = found.consistency_ratio < _ACCEPTABLE
            words = t("ge.ratio", ratio=f"{found.consistency_ratio:.3f}")
            html(tag(words, "good" if good else "bad"))
            if not good and found.worst is not None:
                first, second, third = (names[key] for key in found.worst.factors)
                stated, implied = f"{found.worst.stated:.2g}", f"{found.worst.implied:.2g}"
                html(
                    Markup('<p class="small">{}</p>').format(
                        t("ge.worst", a=first, b=second, c=third, stated=stated, implied=implied)
                    )
                )
