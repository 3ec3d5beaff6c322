"""A step of the studio, and the fields that steps are made of."""

from typing import Any, Protocol

from nicegui import ui

from services.console.pages.campaign_studio.choices import Options, with_present
from services.console.widgets.fields import Place, text_field
from shared.contracts.campaign import CampaignContent


class Step(Protocol):
    """One step writes one or more parts of a campaign, or a field of one that another step begins.

    To add a step: a class like this in a file of its own, and a line in `steps.STEPS`.
    """

    @property
    def name(self) -> str:
        """Names its title, `campaign_studio.step.<name>`."""

    @property
    def parts(self) -> tuple[str, ...]:
        """Parts of `CampaignContent` that it writes."""

    def draw(self, content: CampaignContent) -> None:
        """Its fields, filled with what there is; begun anew when changes are discarded."""

    def body(self) -> dict[str, Any]:
        """Each part as the API takes it; None while nothing is filled in."""

    def places(self) -> dict[str, Place]:
        """Where to say what is wrong, by pointer."""


def one(label: str, options: Options, value: str | None, *, clearable: bool = False) -> ui.select:
    field = ui.select(
        with_present(options, [value]), label=label, value=value, with_input=True, clearable=clearable
    )
    return field.props("outlined dense options-dense")


def many(label: str, options: Options, chosen: list[str]) -> ui.select:
    field = ui.select(
        with_present(options, chosen), label=label, value=chosen, multiple=True, with_input=True
    )
    return field.props("outlined dense use-chips options-dense")


def person(label: str, staff: Options, code: str | None) -> ui.select:
    """One of the staff; a code that is not on the list may be typed."""
    field = ui.select(
        with_present(staff, [code]),
        label=label,
        value=code,
        with_input=True,
        clearable=True,
        new_value_mode="add-unique",
    )
    return field.props("outlined dense options-dense")


def day_field(label: str, value: object) -> ui.input:
    return text_field(label, str(value or "")).props("type=date stack-label")


def typed(field: ui.input) -> str:
    return str(field.value or "").strip()


def kept(part: Any, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """What there is of a part, so that fields no step knows stay as they are."""
    if part is None:
        return {}
    found: dict[str, Any] = part.model_dump(mode="json", exclude=set(without))
    return found
