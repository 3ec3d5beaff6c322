"""One step of a journey: its kind, what that kind needs, and where it leads."""

from abc import ABC, abstractmethod
from functools import partial
from typing import Any, get_args

from nicegui import ui

from services.console.pages.campaign_studio.choices import TASK_CHANNEL, Choices, Options
from services.console.pages.campaign_studio.step import many, one, typed
from services.console.view import View
from services.console.widgets.fields import Parts, Place, number_field, rounded, text_field
from shared.contracts.campaign.journeys import (
    BranchCase,
    BranchStep,
    ContactStep,
    JourneyStep,
    SplitPath,
    SplitStep,
    UntilStep,
    WaitStep,
)
from shared.contracts.events import Disposition, MessageOutcome

_KINDS = ("contact", "wait", "until", "branch", "split")
_OUTCOMES = (*get_args(Disposition), *get_args(MessageOutcome))
_UNITS = {"minutes": 1, "hours": 60, "days": 24 * 60}


class StepFields:
    """Fields of all kinds stand there, those of the chosen one are shown."""

    def __init__(self, view: View, known: Choices, step: JourneyStep | None = None) -> None:
        t = view.t
        kinds = {kind: t.word("journey.kind", kind) for kind in _KINDS}
        with ui.element("div").classes("stack").style("gap: 10px; width: 100%"):
            with ui.element("div").classes("grid cols-3").style("gap: 10px; width: 100%"):
                self._key = text_field(t("campaign_studio.journey.key"), step.key if step else "")
                self._kind = ui.select(
                    kinds, label=t("journey.column.kind"), value=step.kind if step else "contact"
                )
                self._kind.props("outlined dense options-dense")
            self._kinds: dict[str, _Kind] = {
                "contact": _Contact(view, known, step if isinstance(step, ContactStep) else None),
                "wait": _Wait(view, step if isinstance(step, WaitStep) else None),
                "until": _Until(view, known, step if isinstance(step, UntilStep) else None),
                "branch": _Branch(view, known, step if isinstance(step, BranchStep) else None),
                "split": _Split(view, step if isinstance(step, SplitStep) else None),
            }
        self._show()
        self._kind.on_value_change(self._show)

    def _show(self) -> None:
        for kind, fields in self._kinds.items():
            fields.box.set_visibility(kind == self._kind.value)

    def body(self) -> dict[str, Any]:
        kind = str(self._kind.value)
        return {"key": typed(self._key), "kind": kind, **self._kinds[kind].body()}

    def places(self, at: str) -> dict[str, Place]:
        own: dict[str, Place] = {at: self._key, f"{at}/key": self._key, f"{at}/kind": self._kind}
        return own | self._kinds[str(self._kind.value)].places(at)


class _Kind(ABC):
    """The fields of one kind in a box of their own."""

    fields: dict[str, Place]

    def __init__(self) -> None:
        self.box = ui.element("div").classes("grid cols-3").style("gap: 10px; width: 100%")

    @abstractmethod
    def body(self) -> dict[str, Any]:
        """As the contract has it, without key and kind."""

    def places(self, at: str) -> dict[str, Place]:
        return {f"{at}/{name}": field for name, field in self.fields.items()}


class _Contact(_Kind):
    def __init__(self, view: View, known: Choices, step: ContactStep | None) -> None:
        super().__init__()
        t = view.t
        scripts: Options = {each.ref: f"{t.local(each.name)} ({each.ref})" for each in known.scripts}
        texts: Options = {each.ref: f"{t.local(each.name)} ({each.ref})" for each in known.materials}
        with self.box:
            channel = step.channel if step else TASK_CHANNEL
            self._channel = one(t("campaign_studio.arm.channel"), known.channels, channel)
            self._script = one(t("campaign_studio.arm.script"), scripts, step.script if step else None)
            self._materials = many(t("campaign_studio.arm.materials"), texts, step.materials if step else [])
            self._next = _leads(view, "next", step.next if step else None)
            self._otherwise = _leads(view, "fallback", step.otherwise if step else None)
        self._materials.bind_visibility_from(self._channel, "value", lambda to: to == TASK_CHANNEL)
        self.fields = {
            "channel": self._channel,
            "script": self._script,
            "materials": self._materials,
            "next": self._next,
            "otherwise": self._otherwise,
        }

    def body(self) -> dict[str, Any]:
        return {
            "channel": self._channel.value or "",
            "script": self._script.value or "",
            "materials": list(self._materials.value) if self._channel.value == TASK_CHANNEL else [],
            "next": typed(self._next) or None,
            "otherwise": typed(self._otherwise) or None,
        }


class _Wait(_Kind):
    def __init__(self, view: View, step: WaitStep | None) -> None:
        super().__init__()
        with self.box:
            self._time = _Time(view, step.minutes if step else None)
            self._next = _leads(view, "next", step.next if step else None)
        self.fields = {"minutes": self._time.number, "next": self._next}

    def body(self) -> dict[str, Any]:
        return {"minutes": self._time.minutes(), "next": typed(self._next) or None}


class _Until(_Kind):
    def __init__(self, view: View, known: Choices, step: UntilStep | None) -> None:
        super().__init__()
        t = view.t
        with self.box:
            self._segment = one(
                t("campaign_studio.journey.segment"), known.segments, step.segment if step else None
            )
            self._out = ui.checkbox(t("campaign_studio.journey.out"), value=bool(step and not step.member))
            self._time = _Time(view, step.minutes if step else None)
            self._next = _leads(view, "next", step.next if step else None)
            self._otherwise = _leads(view, "timeout", step.otherwise if step else None)
        self.fields = {
            "segment": self._segment,
            "minutes": self._time.number,
            "next": self._next,
            "otherwise": self._otherwise,
        }

    def body(self) -> dict[str, Any]:
        return {
            "segment": self._segment.value or "",
            "member": not self._out.value,
            "minutes": self._time.minutes(),
            "next": typed(self._next) or None,
            "otherwise": typed(self._otherwise) or None,
        }


class _Branch(_Kind):
    def __init__(self, view: View, known: Choices, step: BranchStep | None) -> None:
        super().__init__()
        self.box.classes(replace="stack")
        with self.box:
            self._cases = Parts(
                view.t, view.t("campaign_studio.journey.case.add"), partial(_Case, view, known), ordered=True
            )
            for each in step.cases if step else []:
                self._cases.put(partial(_Case, view, known, each))
            self._otherwise = _leads(view, "otherwise", step.otherwise if step else None)
        self.fields = {"otherwise": self._otherwise}

    def body(self) -> dict[str, Any]:
        return {"cases": self._cases.body(), "otherwise": typed(self._otherwise) or None}

    def places(self, at: str) -> dict[str, Place]:
        return super().places(at) | self._cases.places(f"{at}/cases")


class _Case:
    def __init__(self, view: View, known: Choices, case: BranchCase | None = None) -> None:
        t = view.t
        outcomes = {name: t.word("disposition", name) for name in _OUTCOMES}
        with ui.element("div").classes("grid cols-3").style("gap: 10px; width: 100%"):
            chosen: list[str] = [*case.outcomes] if case else []
            self._outcomes = many(t("campaign_studio.journey.outcomes"), outcomes, chosen)
            segment = case.segment if case else None
            self._segment = one(t("campaign_studio.journey.segment"), known.segments, segment, clearable=True)
            self._out = ui.checkbox(t("campaign_studio.journey.out"), value=bool(case and not case.member))
            self._next = _leads(view, "next", case.next if case else None)

    def body(self) -> dict[str, Any]:
        return {
            "outcomes": list(self._outcomes.value),
            "segment": self._segment.value or None,
            "member": not self._out.value,
            "next": typed(self._next) or None,
        }

    def places(self, at: str) -> dict[str, Place]:
        return {
            at: self._outcomes,
            f"{at}/outcomes": self._outcomes,
            f"{at}/segment": self._segment,
            f"{at}/next": self._next,
        }


class _Split(_Kind):
    def __init__(self, view: View, step: SplitStep | None) -> None:
        super().__init__()
        self.box.classes(replace="stack")
        with self.box:
            self._paths = Parts(view.t, view.t("campaign_studio.journey.path.add"), partial(_Path, view))
            for each in step.paths if step else []:
                self._paths.put(partial(_Path, view, each))
        self.fields = {}

    def body(self) -> dict[str, Any]:
        return {"paths": self._paths.body()}

    def places(self, at: str) -> dict[str, Place]:
        return self._paths.places(f"{at}/paths")


class _Path:
    def __init__(self, view: View, path: SplitPath | None = None) -> None:
        with ui.element("div").classes("grid cols-3").style("gap: 10px; width: 100%"):
            share = round(path.share * 100, 6) if path else None
            self._share = number_field(view.t("campaign_studio.arm.share"), share, suffix="%")
            self._next = _leads(view, "next", path.next if path else None)

    def body(self) -> dict[str, Any]:
        share = None if self._share.value is None else round(self._share.value / 100, 8)
        return {"share": share, "next": typed(self._next) or None}

    def places(self, at: str) -> dict[str, Place]:
        return {at: self._share, f"{at}/share": self._share, f"{at}/next": self._next}


class _Time:
    """A time in the largest unit that has it whole."""

    def __init__(self, view: View, minutes: int | None) -> None:
        t = view.t
        unit = next(name for name in ("days", "hours", "minutes") if (minutes or 1440) % _UNITS[name] == 0)
        value = None if minutes is None else minutes // _UNITS[unit]
        self.number = number_field(t("campaign_studio.journey.time"), value)
        units = {name: t(f"campaign_studio.journey.{name}") for name in _UNITS}
        self._unit = ui.select(units, label=t("campaign_studio.journey.unit"), value=unit)
        self._unit.props("outlined dense options-dense")

    def minutes(self) -> int | None:
        whole = rounded(self.number)
        return None if whole is None else whole * _UNITS[str(self._unit.value)]


def _leads(view: View, why: str, to: str | None) -> ui.input:
    """Key of a later step; empty: the journey ends there."""
    field = text_field(view.t(f"campaign_studio.journey.{why}"), to or "")
    field.props["placeholder"] = view.t("campaign_studio.journey.end")
    return field.props("stack-label")
