"""What an edit, publishing or archiving would do, before anybody does it; and frozen members."""

from collections.abc import Awaitable, Callable

from markupsafe import Markup
from nicegui import ui

from services.console.api import Params
from services.console.api import segment as path_segment
from services.console.formats import NOTHING, moment, whole
from services.console.view import View
from services.console.widgets.dialogs import confirm
from services.console.widgets.html import Cell, html, link, table, tag
from services.console.widgets.states import empty_state, skeleton
from shared.auth import Role
from shared.contracts.base import Page
from shared.contracts.segmentation import SegmentState, SegmentView
from shared.contracts.segmentation.comparisons import DependantsView, ImpactView, SegmentUser, UserKind
from shared.contracts.segmentation.snapshots import SnapshotView

Reload = Callable[[], Awaitable[None]]
_PLACES = {
    UserKind.model: "/models/{}",
    UserKind.target_profile: "/targets/{}",
    UserKind.insight: "/insights",
    UserKind.campaign: "/campaigns/{}",
}


def _path(segment: SegmentView, verb: str = "") -> str:
    return f"/v1/segments/{path_segment(segment.key)}{verb}"


def actions(view: View, segment: SegmentView, reload: Reload) -> None:
    """Publish, archive, restore and freeze, as far as the state allows it."""
    t = view.t
    if not view.user.has(Role.strategist):
        return

    def button(name: str, act: Callable[[], Awaitable[None]], style: str = "outline") -> None:
        made = ui.button(t(f"segment.{name}"), on_click=act).props(f"{style} no-caps")
        if name != "freeze":  # freezes what the branch itself sees
            view.bank_wide(made)

    if segment.state is SegmentState.archived:
        button("restore", lambda: _change(view, segment, ":restore", "segment.restored", reload))
        return
    if segment.definition.sql is not None:
        studio = f"/segment-studio?segment={path_segment(segment.key)}"
        ui.button(t("studio.open"), on_click=lambda: ui.navigate.to(studio)).props("outline no-caps")
    if segment.live_version != segment.version:
        button("publish", lambda: _publish(view, segment, reload), "unelevated")
    if segment.evaluated_at is not None:
        button("freeze", lambda: _freeze(view, segment, reload))
    button("archive", lambda: _archive(view, segment, reload), "flat")


async def _publish(view: View, segment: SegmentView, reload: Reload) -> None:
    """Says who would join and leave first."""
    t = view.t
    text = t("segment.publish.first")
    if segment.definition.sql is not None:
        body = {"definition": {"sql": segment.definition.sql}, "sample": 0}
        found = await view.attempt(view.api.post("segmentation", _path(segment, ":impact"), ImpactView, body))
        if found is None:
            return
        text = _told(view, found)
    title = t("segment.publish.version", n=segment.version)
    if await confirm(t, title=title, text=text) is not None:
        await _change(view, segment, ":publish", "segment.published", reload)


def _told(view: View, found: ImpactView) -> str:
    t = view.t
    moves = {
        "before": whole(found.before),
        "after": whole(found.after),
        "joined": whole(found.joined),
        "left": whole(found.left),
    }
    leaning = [
        f"{t.local(each.name)} {whole(each.before)} → {whole(each.after)}"
        for each in found.dependants
        if each.joined or each.left
    ]
    told = t("impact.moves", **moves)
    return f"{told} {t('impact.leaning', names=t('list.comma').join(leaning))}" if leaning else told


async def _archive(view: View, segment: SegmentView, reload: Reload) -> None:
    t = view.t
    found = await view.attempt(view.api.get("segmentation", _path(segment, "/impact"), DependantsView))
    if found is None:
        return
    if not found.archivable:
        users = [t.local(each.name) for each in found.dependants if each.direct]
        ui.notify(
            t("segment.archive.refused", names=t("list.comma").join(users)), type="warning", timeout=9000
        )
        return
    text = t("segment.archive.note", n=whole(segment.size))
    if found.users:
        names = t("list.comma").join(t.local(each.name) for each in found.users)
        text = f"{text} {t('segment.archive.users', names=names)}"
    if await confirm(t, title=t("segment.archive"), text=text) is not None:
        done = await view.attempt(
            view.api.delete("segmentation", _path(segment), SegmentView, if_match=segment.revision)
        )
        if done is not None:
            view.done(t("segment.archived"))
            await reload()


async def _change(view: View, segment: SegmentView, verb: str, done: str, reload: Reload) -> None:
    changed = await view.attempt(view.api.post("segmentation", _path(segment, verb), SegmentView))
    if changed is not None:
        view.done(view.t(done))
        await reload()


async def _freeze(view: View, segment: SegmentView, reload: Reload) -> None:
    t = view.t
    purpose = await confirm(
        t, title=t("segment.freeze"), text=t("segment.freeze.note"), field=t("snapshots.purpose")
    )
    if purpose is None:
        return
    made = await view.attempt(
        view.api.post("segmentation", _path(segment, ":snapshot"), SnapshotView, {"purpose": purpose})
    )
    if made is not None:
        view.done(t("segment.frozen", n=whole(made.size)))
        await reload()


def build_snapshots(view: View, segment: SegmentView) -> None:
    async def fetch() -> Page[SnapshotView]:
        wanted: Params = {"segment": segment.key, "limit": 200}
        return await view.api.get("segmentation", "/v1/snapshots", Page[SnapshotView], wanted)

    view.section(fetch, lambda found: _draw_snapshots(view, found.items), height=200)


def _draw_snapshots(view: View, snapshots: list[SnapshotView]) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        html(
            Markup('<div class="panel-head"><h2>{}</h2><p>{}</p></div>').format(
                t("snapshots.title"), t("snapshots.note")
            )
        )
        if not snapshots:
            empty_state(t("snapshots.empty"), t("snapshots.empty.do"))
            return
        rows: list[list[Cell]] = [
            [
                moment(each.created_at),
                each.purpose,
                f"v{each.version}",
                each.org,
                whole(each.size),
                whole(each.erased),
                Markup('<code title="{}">{}…</code>').format(each.digest, each.digest[:12]),
                each.created_by,
            ]
            for each in snapshots
        ]
        names = ("at", "purpose", "version", "org", "size", "erased", "digest", "by")
        html(table([t(f"snapshots.{name}") for name in names], rows, right=(4, 5)))


def build_impact(view: View, segment: SegmentView) -> None:
    """Who leans on the segment, and a box to try another rule for it."""
    t = view.t

    async def fetch() -> DependantsView:
        return await view.api.get("segmentation", _path(segment, "/impact"), DependantsView)

    def draw(found: DependantsView) -> None:
        _draw_dependants(view, found)
        _draw_users(view, found.users)

    view.section(fetch, draw, height=140)
    if segment.definition.sql is None:
        return
    with ui.element("section").classes("panel"):
        html(
            Markup('<div class="panel-head"><h2>{}</h2><p>{}</p></div>').format(
                t("impact.title"), t("impact.note")
            )
        )
        rule = (
            ui.textarea(t("preview.rule"), value=segment.definition.sql)
            .props("outlined autogrow spellcheck=false maxlength=8000")
            .classes("code")
        )
        button = ui.button(t("impact.run")).props("unelevated no-caps").style("margin: 10px 0")
        shown = ui.element("div").props('aria-live="polite"')

        async def run() -> None:
            button.disable()
            shown.clear()
            with shown:
                skeleton(90)
            body = {"definition": {"sql": str(rule.value or "")}, "sample": 0}
            found = await view.attempt(
                view.api.post("segmentation", _path(segment, ":impact"), ImpactView, body)
            )
            button.enable()
            shown.clear()
            if found is not None:
                with shown:
                    html(_moves(view, segment, found))

        button.on_click(run)


def _draw_dependants(view: View, found: DependantsView) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("impact.dependants")))
        if not found.dependants:
            empty_state(t("impact.alone"), t("impact.alone.do"))
            return
        rows: list[list[Cell]] = [
            [
                link(t.local(each.name), f"/segments/{each.segment_id}"),
                t("impact.direct") if each.direct else t("impact.indirect"),
                tag(t(f"state.{each.state.value}")),
                whole(each.size),
            ]
            for each in found.dependants
        ]
        names = ("segment", "how", "state", "members")
        html(table([t(f"impact.{name}") for name in names], rows, right=(3,)))


def _draw_users(view: View, users: list[SegmentUser]) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("impact.users")))
        if not users:
            empty_state(t("impact.unused"), t("impact.unused.do"))
            return
        rows: list[list[Cell]] = [
            [
                tag(t(f"impact.user.{each.kind.value}")),
                link(t.local(each.name), _PLACES[each.kind].format(each.id)),
                each.org or NOTHING,
                each.segment,
            ]
            for each in users
        ]
        html(table([t(f"impact.{name}") for name in ("user", "name", "org", "names")], rows))


def _moves(view: View, segment: SegmentView, found: ImpactView) -> Markup:
    t = view.t
    lines = [(t.local(segment.name), found), *((t.local(each.name), each) for each in found.dependants)]
    rows: list[list[Cell]] = [
        [name, whole(each.before), f"+{whole(each.joined)}", f"−{whole(each.left)}", whole(each.after)]
        for name, each in lines
    ]
    names = ("segment", "before", "joined", "left", "after")
    return table([t(f"impact.{name}") for name in names], rows, right=(1, 2, 3, 4))
