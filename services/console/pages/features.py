"""Feature catalogue 特征目录: what can be asked about a customer, where it comes from, and one's own."""

from collections.abc import Awaitable, Callable

from markupsafe import Markup
from nicegui import ui

from services.console.api import ApiProblem
from services.console.api import segment as path_segment
from services.console.formats import NOTHING, percent, whole
from services.console.frame import heading
from services.console.view import View, page
from services.console.widgets.dialogs import confirm
from services.console.widgets.html import Cell, facts, html, link, table, tag
from services.console.widgets.states import empty_state
from shared.auth import Role
from shared.contracts.base import Page
from shared.contracts.segmentation import FeatureView
from shared.contracts.segmentation.features import FeatureDetail, FeatureTrialView

_PAUSE_SECONDS = 0.4
_TONES = {"realtime": "good", "daily": "", "scheduled": "warn"}
_FIRST = "round(wealth_balance / nullif(aum, 0), 2)"
Reload = Callable[[], Awaitable[None]]


@page("/features", title="catalogue.title", nav="segments")
async def features_page(view: View) -> None:
    t = view.t

    async def fetch() -> Page[FeatureView]:
        return await view.api.get("segmentation", "/v1/features", Page[FeatureView])

    async def again() -> None:
        await reload()

    with heading(t("catalogue.title"), t("catalogue.note"), crumb=link(t("segments.title"), "/segments")):
        html(link(t("studio.title"), "/segment-studio"))
    if view.user.has(Role.strategist) and view.bank_wide_form():
        _own(view, again)
    with ui.element("div").classes("filters"):
        sought = ui.input(t("catalogue.search")).props("outlined dense clearable").style("width: 320px")
    reload = view.section(fetch, lambda found: _list(view, found.items, sought, again), height=480)


def _list(view: View, features: list[FeatureView], sought: ui.input, reload: Reload) -> None:
    box = ui.element("section").classes("panel")

    def draw() -> None:
        text = str(sought.value or "").lower()
        box.clear()
        with box:
            _table(view, [each for each in features if text in _searched(each)], reload)

    sought.on_value_change(draw)
    draw()


def _searched(feature: FeatureView) -> str:
    return f"{feature.key} {feature.name.zh} {feature.name.en} {' '.join(feature.lineage)}".lower()


def _table(view: View, features: list[FeatureView], reload: Reload) -> None:
    t = view.t
    if not features:
        empty_state(t("catalogue.none"), t("catalogue.none.do"))
        return
    html(Markup('<p class="muted small">{}</p>').format(t("catalogue.count", n=len(features))))
    names = ("feature", "meaning", "type", "unit", "freshness", "lineage", "missing")
    html(table([t(f"column.{name}") for name in names], [_row(view, each) for each in features]))
    own = [each for each in features if not each.built_in]
    if not own:
        return
    html(Markup("<h2 style='margin-top: 18px'>{}</h2>").format(t("catalogue.own")))
    for each in own:
        with ui.element("div").classes("rule-row"):
            html(Markup("<code>{}</code> = <code>{}</code>").format(each.key, each.expression))
            ui.button(t("catalogue.open"), on_click=lambda _, key=each.key: _opened(view, key, reload)).props(
                "flat no-caps dense size=sm"
            )


def _row(view: View, feature: FeatureView) -> list[Cell]:
    t = view.t
    own = Markup(" {}").format(tag(t("catalogue.own.tag"), "good")) if not feature.built_in else Markup()
    return [
        Markup("<code>{}</code>{}").format(feature.key, own),
        t.local(feature.name),
        t.word("feature_type", feature.type.value),
        feature.unit or NOTHING,
        tag(t.word("freshness", feature.freshness.value), _TONES[feature.freshness.value]),
        Markup('<span class="small muted">{}</span>').format(", ".join(feature.lineage)),
        t.word("missing", feature.missing),
    ]


async def _opened(view: View, key: str, reload: Reload) -> None:
    """What is made of it, and the button that takes it out of use."""
    t = view.t
    path = f"/v1/features/{path_segment(key)}"
    found = await view.attempt(view.api.get("segmentation", path, FeatureDetail))
    if found is None:
        return
    with ui.dialog() as dialog, ui.card().classes("dialog").props(f'aria-label="{key}"'):
        html(Markup("<h2>{}</h2>").format(t.local(found.name)))
        html(
            facts(
                [
                    (t("column.expression"), Markup("<code>{}</code>").format(found.expression)),
                    (t("column.lineage"), ", ".join(found.lineage)),
                    (t("catalogue.used_by"), ", ".join(found.used_by) or NOTHING),
                    (t("segment.description"), found.description or NOTHING),
                ]
            )
        )
        with ui.element("div").classes("actions").style("width: 100%"):
            ui.button(t("cancel"), on_click=lambda: dialog.submit(None)).props("flat no-caps")
            if view.user.has(Role.strategist):
                archive = ui.button(t("catalogue.archive"), on_click=lambda: dialog.submit("archive"))
                view.bank_wide(archive).props("outline no-caps")
    chosen = await dialog
    dialog.delete()
    if chosen == "archive" and found.revision is not None:
        await _archive(view, found.key, found.revision, reload)


async def _archive(view: View, key: str, revision: int, reload: Reload) -> None:
    t = view.t
    sure = await confirm(t, title=t("catalogue.archive"), text=t("catalogue.archive.note", name=key))
    if sure is None:
        return
    path = f"/v1/features/{path_segment(key)}"
    done = await view.attempt(view.api.delete("segmentation", path, FeatureDetail, if_match=revision))
    if done is not None:
        view.done(t("catalogue.archived", name=key))
        await reload()


def _own(view: View, reload: Reload) -> None:
    """One's own feature by an expression, tried on today's customers while it is written."""
    t = view.t
    with ui.expansion(t("catalogue.new")).classes("panel").style("width: 100%; margin-bottom: 18px"):
        html(Markup('<p class="muted small">{}</p>').format(t("catalogue.new.note")))
        with ui.element("div").classes("filters"):
            fields = {
                name: ui.input(t(f"studio.{name}")).props("outlined dense maxlength=200")
                for name in ("key", "zh", "en", "unit")
            }
        text = ui.textarea(t("column.expression"), value=_FIRST).props("outlined autogrow spellcheck=false")
        text.classes("code")
        shown = ui.element("div").props('aria-live="polite"')
        trial = _Trial(view, shown)
        text.on_value_change(lambda event: trial.edited(str(event.value or "")))

        async def keep() -> None:
            values = {name: str(entry.value or "").strip() for name, entry in fields.items()}
            body = {
                "key": values["key"],
                "name": {"zh": values["zh"], "en": values["en"] or values["zh"]},
                "unit": values["unit"] or None,
                "expression": str(text.value or ""),
            }
            made = await view.attempt(view.api.post("segmentation", "/v1/features", FeatureDetail, body))
            if made is not None:
                view.done(t("catalogue.made", name=made.key))
                await reload()

        ui.button(t("catalogue.create"), on_click=keep).props("unelevated no-caps").style("margin-top: 12px")


class _Trial:
    """Tries the newest text as soon as nobody has typed for a moment."""

    def __init__(self, view: View, shown: ui.element) -> None:
        self._view = view
        self._shown = shown
        self._edits = 0

    def edited(self, text: str) -> None:
        self._edits += 1
        edit = self._edits

        async def later() -> None:
            if edit == self._edits:
                await self._try(text, edit)

        with self._shown:
            ui.timer(_PAUSE_SECONDS, later, once=True)

    async def _try(self, text: str, edit: int) -> None:
        body = {"expression": text}
        try:
            found = await self._view.api.post("segmentation", "/v1/features:preview", FeatureTrialView, body)
            answer = self._answer(found)
        except ApiProblem as problem:
            detail = problem.errors[0].detail if problem.errors else problem.detail
            answer = Markup('<p class="tag bad" role="alert">{}</p>').format(detail)
        if edit == self._edits:
            self._shown.clear()
            with self._shown:
                html(answer)

    def _answer(self, found: FeatureTrialView) -> Markup:
        t = self._view.t
        share = found.known / found.of if found.of else None
        pairs: list[tuple[str, Cell]] = [
            (t("catalogue.known"), f"{whole(found.known)} ({percent(share)})"),
            *(
                (t(f"catalogue.{name}"), NOTHING if value is None else f"{value:,.4g}")
                for name, value in (
                    ("minimum", found.minimum),
                    ("median", found.median),
                    ("mean", found.mean),
                    ("maximum", found.maximum),
                )
            ),
            (t("column.freshness"), tag(t.word("freshness", found.freshness.value))),
            (t("column.lineage"), ", ".join(found.lineage)),
        ]
        return facts(pairs)
