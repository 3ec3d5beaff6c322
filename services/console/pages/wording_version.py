"""One version of a script or material: what it says, what lists say of it, who decides, what came of it."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import NOTHING, moment, whole
from services.console.frame import heading
from services.console.navigation import OVERSEERS
from services.console.pages.material_form import write_material
from services.console.pages.script_form import write_script
from services.console.pages.task_script import show_body
from services.console.pages.wording_marks import marks
from services.console.pages.words import state_tag
from services.console.view import View, page
from services.console.widgets.dialogs import confirm
from services.console.widgets.html import Cell, facts, html, link, table, tag
from services.console.widgets.states import empty_state
from shared.auth import Role
from shared.contracts.campaign import ScriptView, ScriptWrite
from shared.contracts.campaign.materials import MaterialPreview, MaterialView, MaterialWrite
from shared.contracts.campaign.scripts import ScriptEffect, ScriptEffects, ScriptPreview, ScriptStep

Reload = Callable[[], Awaitable[None]]
V = TypeVar("V", ScriptView, MaterialView)
_VERBS = {"in_review": ("approve", "reject"), "approved": ("retire",)}
_DECIDERS = {
    "approve": (Role.approver,),
    "reject": (Role.approver,),
    "retire": (Role.strategist, Role.approver),
}


@page("/wording/scripts/{ref}", title="wording.title", nav="wording")
async def script_page(view: View, ref: str) -> None:
    t, path = view.t, f"/v1/scripts/{segment(ref)}"

    async def fetch() -> tuple[ScriptView, ScriptPreview | None]:
        script = await view.api.get("campaign", path, ScriptView)
        if not script.personalised:
            return script, None
        written = ScriptWrite.model_validate(script.model_dump(include=set(ScriptWrite.model_fields)))
        preview = view.api.post("campaign", "/v1/scripts:preview", ScriptPreview, written)
        return script, await view.optional(preview)

    async def again() -> None:
        await reload()

    async def next_version(script: ScriptView) -> None:
        written = await write_script(view, script)
        if written is not None:
            ui.navigate.to(f"/wording/scripts/{written.ref}")

    def draw(found: tuple[ScriptView, ScriptPreview | None]) -> None:
        script, preview = found
        _head(view, script, path, again, lambda: next_version(script))
        with ui.element("section").classes("panel"):
            for step in script.steps:
                _step(view, step)
            if preview and preview.hits:
                html(marks(t, preview.hits))

    reload = view.section(fetch, draw, height=420)
    if view.user.has(*OVERSEERS):
        _effect(view, ref.partition("@")[0])


@page("/wording/materials/{ref}", title="wording.title", nav="wording")
async def material_page(view: View, ref: str) -> None:
    t, path = view.t, f"/v1/materials/{segment(ref)}"

    async def fetch() -> tuple[MaterialView, MaterialPreview | None]:
        material = await view.api.get("campaign", path, MaterialView)
        written = MaterialWrite.model_validate(material.model_dump(include=set(MaterialWrite.model_fields)))
        preview = view.api.post("campaign", "/v1/materials:preview", MaterialPreview, written)
        return material, await view.optional(preview)

    async def again() -> None:
        await reload()

    async def next_version(material: MaterialView) -> None:
        written = await write_material(view, material)
        if written is not None:
            ui.navigate.to(f"/wording/materials/{written.ref}")

    def draw(found: tuple[MaterialView, MaterialPreview | None]) -> None:
        material, preview = found
        _head(view, material, path, again, lambda: next_version(material))
        with ui.element("section").classes("panel"):
            pairs: list[tuple[str, Cell]] = [
                (t("wording.kind"), t(f"wording.kind.{material.kind}")),
                (t("wording.column.channel"), t.word("channel", material.channel)),
                (t("wording.file.sha256"), Markup('<code class="small">{}</code>').format(material.sha256)),
                (t("wording.file.size"), whole(material.size)),
            ]
            if material.file:
                pairs.append((t("wording.file.uri"), material.file.uri))
            if preview and preview.sms:
                lengths = preview.sms
                pairs.append(
                    (
                        t("wording.sms.length"),
                        t("wording.sms", zh=lengths.zh.segments, en=lengths.en.segments),
                    )
                )
            html(facts(pairs))
            if preview and preview.body:
                show_body(t.local(preview.body), page=material.kind == "html")
            if preview and preview.hits:
                html(marks(t, preview.hits))

    reload = view.section(fetch, draw, height=420)


def _head(
    view: View, version: V, path: str, again: Reload, next_version: Callable[[], Awaitable[None]]
) -> None:
    t = view.t
    crumb = link(t("wording.title"), "/wording")
    with heading(t.local(version.name), version.ref, crumb):
        for verb in _VERBS.get(version.state, ()):
            if view.user.has(*_DECIDERS[verb]):
                act = _deciding(view, version, path, verb, again)
                look = "unelevated no-caps" if verb == "approve" else "outline no-caps"
                view.bank_wide(ui.button(t(f"wording.{verb}"), on_click=act)).props(look)
        if view.user.has(Role.strategist):
            button = ui.button(t("wording.next_version"), on_click=next_version).props("flat no-caps")
            view.bank_wide(button)
    pairs: list[tuple[str, Cell]] = [
        (t("wording.column.state"), state_tag(t, version.state)),
        (t("wording.column.author"), f"{version.created_by} · {moment(version.created_at)}"),
        (t("wording.column.products"), ", ".join(version.products) or t("wording.any_product")),
    ]
    if version.decided_by:
        pairs.append((t("wording.column.decided"), f"{version.decided_by} · {moment(version.decided_at)}"))
    if version.retired_by:
        pairs.append((t("wording.retired"), f"{version.retired_by} · {moment(version.retired_at)}"))
    if version.comment:
        pairs.append((t("wording.comment"), version.comment))
    with ui.element("section").classes("panel"):
        html(facts(pairs))


def _deciding(view: View, version: V, path: str, verb: str, again: Reload) -> Reload:
    t = view.t

    async def decide() -> None:
        said = await confirm(
            t,
            title=t(f"wording.{verb}"),
            text=t(f"wording.{verb}.confirm", ref=version.ref),
            field=t("wording.comment") if verb == "approve" else t("action.reason"),
            required=verb != "approve",
        )
        if said is None:
            return
        body = {"comment": said or None} if verb == "approve" else {"reason": said}
        done = await view.attempt(view.api.post("campaign", f"{path}:{verb}", type(version), body))
        if done is not None:
            view.done(t("action.done", state=t.word("state", done.state)))
            await again()

    return decide


def _step(view: View, step: ScriptStep) -> None:
    t = view.t
    answers = Markup().join(
        Markup("<li>{} → {}</li>").format(
            t.local(answer.label),
            tag(answer.next, "accent") if answer.next else t.word("disposition", answer.end or ""),
        )
        for answer in step.answers
    )
    html(
        Markup(
            '<div class="script-step"><b>{}</b><pre class="material">{}</pre><ul class="plain">{}</ul></div>'
        ).format(step.key, t.local(step.text), answers)
    )


def _effect(view: View, key: str) -> None:
    async def fetch() -> ScriptEffects:
        return await view.api.get("campaign", f"/v1/scripts/{segment(key)}/effect", ScriptEffects)

    view.section(fetch, lambda found: _effects(view, found.items), height=120)


def _effects(view: View, effects: list[ScriptEffect]) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        html(
            Markup("<h2>{}</h2><p class='muted'>{}</p>").format(t("wording.effect"), t("wording.effect.note"))
        )
        if not effects:
            empty_state(t("wording.effect.none"), t("wording.effect.none.do"))
            return
        names = (
            "version",
            "campaigns",
            "contacts",
            "done",
            "attempts",
            "conversions",
            "amount",
            "dispositions",
        )
        rows: list[list[Cell]] = [
            [
                each.ref,
                whole(each.campaigns),
                whole(each.contacts),
                whole(each.done),
                whole(each.attempts),
                whole(each.conversions),
                whole(each.outcome_amount),
                " · ".join(f"{t.word('disposition', name)} {n}" for name, n in each.dispositions.items())
                or NOTHING,
            ]
            for each in effects
        ]
        html(table([t(f"wording.column.{name}") for name in names], rows, right=range(1, 7)))
