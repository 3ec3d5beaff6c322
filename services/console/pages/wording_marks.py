"""What compliance lists say of a text."""

from collections.abc import Iterable

from markupsafe import Markup

from services.console.i18n import Texts
from services.console.widgets.html import tag
from shared.contracts.campaign.compliance import ComplianceHit


def marks(t: Texts, hits: Iterable[ComplianceHit]) -> Markup:
    """One line a hit: how grave, what stands there and where, the list, and its advice."""
    line = Markup("<li>{} <mark>{}</mark> <span class='muted small'>{} · {}</span> {}</li>")
    lines = (
        line.format(
            tag(t(f"wording.severity.{hit.severity}"), "bad" if hit.severity == "refuse" else "warn"),
            hit.found,
            t("wording.hit.place", where=hit.pointer, first=hit.start + 1, last=hit.end),
            f"{hit.list}@{hit.list_version}",
            hit.advice or "",
        )
        for hit in hits
    )
    return Markup('<ul class="plain hits">{}</ul>').format(Markup().join(lines))
