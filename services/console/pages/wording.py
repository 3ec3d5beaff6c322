"""Scripts 话术, materials 物料 and the words that may not be said."""

from collections.abc import Awaitable, Callable, Sequence

from markupsafe import Markup
from nicegui import ui

from services.console.formats import day, whole
from services.console.frame import heading
from services.console.pages.compliance_form import write_list
from services.console.pages.material_form import write_material
from services.console.pages.script_form import write_script
from services.console.pages.words import state_tag
from services.console.view import View, page
from services.console.widgets.html import Cell, html, link, table, tag, two_lines
from services.console.widgets.states import empty_state
from services.console.widgets.tabs import lazy_tabs
from shared.auth import Role
from shared.contracts.base import Page
from shared.contracts.campaign import ScriptView
from shared.contracts.campaign.compliance import ComplianceListView, Finding
from shared.contracts.campaign.materials import MaterialView

_LIMIT = 500


@page("/wording", title="wording.title", nav="wording")
async def wording_page(view: View) -> None:
    t = view.t

    async def script() -> None:
        written = await write_script(view, None)
        if written is not None:
            ui.navigate.to(f"/wording/scripts/{written.ref}")

    async def material() -> None:
        written = await write_material(view, None)
        if written is not None:
            ui.navigate.to(f"/wording/materials/{written.ref}")

    with heading(t("wording.title"), t("wording.note")):
        if view.user.has(Role.strategist):
            for name, write, look in (("script", script, "unelevated"), ("material", material, "outline")):
                view.bank_wide(ui.button(t(f"wording.{name}.write"), on_click=write)).props(f"{look} no-caps")
    lazy_tabs(
        {
            "scripts": (t("wording.scripts"), lambda: _scripts(view)),
            "materials": (t("wording.materials"), lambda: _materials(view)),
            "lists": (t("wording.lists"), lambda: _lists(view)),
        }
    )


def _scripts(view: View) -> None:
    async def fetch() -> Page[ScriptView]:
        return await view.api.get("campaign", "/v1/scripts", Page[ScriptView], {"limit": _LIMIT})

    view.section(fetch, lambda found: _versions(view, "scripts", found.items), height=240)


def _materials(view: View) -> None:
    async def fetch() -> Page[MaterialView]:
        return await view.api.get("campaign", "/v1/materials", Page[MaterialView], {"limit": _LIMIT})

    view.section(fetch, lambda found: _versions(view, "materials", found.items), height=240)


def _versions(view: View, kind: str, versions: Sequence[ScriptView | MaterialView]) -> None:
    """The newest version of each key first, older ones below it."""
    t = view.t
    with ui.element("section").classes("panel"):
        if not versions:
            empty_state(t(f"wording.{kind}.empty"), t(f"wording.{kind}.empty.do"))
            return
        names = ("version", "state", "channel", "products", "author", "decided")
        rows = [_row(view, kind, each) for each in sorted(versions, key=lambda one: (one.key, -one.version))]
        html(table([t(f"wording.column.{name}") for name in names], rows))


def _row(view: View, kind: str, version: ScriptView | MaterialView) -> list[Cell]:
    t = view.t
    channel = version.channel if isinstance(version, MaterialView) else "manager_task"
    return [
        two_lines(link(t.local(version.name), f"/wording/{kind}/{version.ref}"), version.ref),
        state_tag(t, version.state),
        t.word("channel", channel),
        ", ".join(version.products) or t("wording.any_product"),
        two_lines(version.created_by, day(version.created_at)),
        two_lines(version.decided_by or "", day(version.decided_at)) if version.decided_by else "",
    ]


def _lists(view: View) -> None:
    t = view.t

    async def fetch() -> list[ComplianceListView]:
        found = await view.api.get(
            "campaign", "/v1/compliance-lists", Page[ComplianceListView], {"limit": _LIMIT}
        )
        return found.items

    async def findings() -> list[Finding]:
        found: list[Finding] = []
        for kind in ("script", "material"):
            page_ = await view.api.get(
                "campaign", "/v1/compliance-findings", Page[Finding], {"kind": kind, "limit": _LIMIT}
            )
            found += page_.items
        return found

    async def again() -> None:
        await reload_lists()
        await reload_findings()

    html(
        Markup("<h2>{}</h2><p class='muted'>{}</p>").format(t("wording.findings"), t("wording.findings.note"))
    )
    reload_findings = view.section(findings, lambda found: _findings(view, found), height=120)
    html(Markup("<h2>{}</h2>").format(t("wording.lists")))
    reload_lists = view.section(fetch, lambda found: _list_table(view, found, again), height=160)


def _findings(view: View, findings: list[Finding]) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        if not findings:
            empty_state(t("wording.findings.none"), t("wording.findings.none.do"))
            return
        rows: list[list[Cell]] = [
            [
                two_lines(link(t.local(each.name), f"/wording/{each.kind}s/{each.ref}"), each.ref),
                Markup(" ").join(
                    tag(f"{hit.found} · {hit.list}", "bad" if hit.severity == "refuse" else "warn")
                    for hit in each.hits[:8]
                ),
                whole(len(each.hits)),
            ]
            for each in findings
        ]
        names = ("version", "words", "hits")
        html(table([t(f"wording.column.{name}") for name in names], rows, right=(2,)))


def _list_table(view: View, lists: list[ComplianceListView], again: Callable[[], Awaitable[None]]) -> None:
    t = view.t

    async def write() -> None:
        changed = await write_list(view)
        if changed is not None:
            view.done(t("wording.list.written", n=len(changed.affected)))
            await again()

    with ui.element("section").classes("panel"):
        if view.user.has(Role.approver):
            view.bank_wide(ui.button(t("wording.list.write"), on_click=write)).props("unelevated no-caps")
        if not lists:
            empty_state(t("wording.lists.empty"), t("wording.lists.empty.do"))
            return
        names = ("version", "valid_from", "channel", "products", "words")
        rows: list[list[Cell]] = [
            [
                two_lines(t.local(each.name), f"{each.key}@{each.version}"),
                day(each.valid_from),
                ", ".join(t.word("channel", channel) for channel in each.channels) or t("wording.all"),
                ", ".join(each.products) or t("wording.all"),
                Markup(" ").join(
                    tag(word.pattern, "bad" if word.severity == "refuse" else "warn")
                    for word in each.words[:30]
                ),
            ]
            for each in sorted(lists, key=lambda one: (one.key, -one.version))
        ]
        html(table([t(f"wording.column.{name}") for name in names], rows))
