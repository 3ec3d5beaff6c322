"""The closed loop as a picture: insight, strategy, execution, review, and the way back."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from services.console import theme
from services.console.i18n import Texts

_WIDTH, _STEP, _BOX, _HEIGHT = 1110, 287, 248, 92


@dataclass(frozen=True)
class Stage:
    key: str
    figure: str
    note: str


def loop(t: Texts, stages: Sequence[Stage]) -> Markup:
    """Four boxes left to right; the return arrow below carries what the review found back to insight."""
    boxes = Markup().join(_box(t, index, stage) for index, stage in enumerate(stages))
    arrows = Markup().join(_arrow(index) for index in range(len(stages) - 1))
    return Markup(
        '<figure class="loop"><svg viewBox="0 0 {} 150" role="img" aria-label="{}">'
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="7" markerHeight="7"'
        ' orient="auto-start-reverse"><path d="M1 1l8 4-8 4z" fill="{}"/></marker></defs>{}{}{}</svg>'
        "</figure>"
    ).format(_WIDTH, t("loop.label"), theme.ACCENT, arrows, boxes, _return(t))


def _box(t: Texts, index: int, stage: Stage) -> Markup:
    x = 1 + index * _STEP
    return Markup(
        '<g><rect x="{x}" y="1" width="{w}" height="{h}" rx="8" fill="#f7f9fb" stroke="{line}"/>'
        '<rect x="{x}" y="1" width="4" height="{h}" rx="2" fill="{ink}"/>'
        '<text x="{tx}" y="27" font-size="14" font-weight="600" fill="{ink}">{name}</text>'
        '<text x="{tx}" y="59" font-size="25" font-weight="600" fill="{text}">{figure}</text>'
        '<text x="{tx}" y="80" font-size="12.5" fill="{muted}">{note}</text></g>'
    ).format(
        x=x,
        tx=x + 20,
        w=_BOX,
        h=_HEIGHT,
        line=theme.LINE,
        ink=theme.INK,
        text=theme.TEXT,
        muted=theme.MUTED,
        name=t(f"loop.{stage.key}"),
        figure=stage.figure,
        note=stage.note,
    )


def _arrow(index: int) -> Markup:
    start = 1 + index * _STEP + _BOX + 8
    return Markup('<path d="M{} 47H{}" stroke="{}" stroke-width="2" marker-end="url(#tip)"/>').format(
        start, start + 23, theme.ACCENT
    )


def _return(t: Texts) -> Markup:
    left, right = 125, 3 * _STEP + 127
    return Markup(
        '<path d="M{right} 97v20a10 10 0 0 1-10 10H{inner}a10 10 0 0 1-10-10V101" fill="none"'
        ' stroke="{colour}" stroke-width="2" stroke-dasharray="5 4" marker-end="url(#tip)"/>'
        '<rect x="{box}" y="114" width="{width}" height="26" rx="13" fill="#fff" stroke="{line}"/>'
        '<text x="555" y="131.5" font-size="12.5" text-anchor="middle" fill="{muted}">{text}</text>'
    ).format(
        left=left,
        right=right,
        inner=left + 10,
        colour=theme.ACCENT,
        line=theme.LINE,
        muted=theme.MUTED,
        text=t("loop.return"),
        box=405,
        width=300,
    )
