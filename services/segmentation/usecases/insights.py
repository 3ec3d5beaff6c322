"""Insight notes: said, discussed, voted on, moved from state to state, made a segment."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.definitions import read_definition
from services.segmentation.domain.insight_states import check_move
from services.segmentation.domain.rules.references import check_references
from services.segmentation.domain.rules.text import to_sql
from services.segmentation.domain.rules.tree import segment_keys
from services.segmentation.models import Insight, InsightComment, InsightVote, Segment
from services.segmentation.queries.features import load_catalogue
from services.segmentation.queries.insights import tests_of, verdicts
from services.segmentation.queries.segments import references
from services.segmentation.usecases.segments import create_segment
from shared import clock
from shared.audit import audit
from shared.auth import Principal, Role
from shared.contracts.conditions import SegmentDefinition, SqlDefinition
from shared.contracts.segmentation import SegmentCreate, SegmentState
from shared.contracts.segmentation.insights import (
    CommentCreate,
    CommentKind,
    InsightCreate,
    InsightMove,
    InsightPatch,
    InsightState,
    PromoteRequest,
    Verdict,
)
from shared.errors import Conflict, FieldError, Forbidden, Unprocessable
from shared.ids import new_id

# No segment can have this key: an insight is referred to by none.
_NO_KEY = ""


async def propose(session: AsyncSession, principal: Principal, wanted: InsightCreate) -> Insight:
    """A new insight, proposed. Raises `Unprocessable` for a link to nothing."""
    org = wanted.org or principal.org
    if not principal.covers(org):
        raise Forbidden(f"{org} is not in your organisation.", errors=[FieldError("/org", "is not yours")])
    await _check_links(session, wanted.segment, wanted.feature)
    now = clock.now()
    insight = Insight(
        id=new_id(),
        org_path=org,
        title=wanted.title,
        text=wanted.text,
        tags=_distinct(wanted.tags),
        segment=wanted.segment,
        feature=wanted.feature,
        group_sql=await rule_sql(session, wanted.group, "/group"),
        state=InsightState.proposed,
        revision=1,
        author=principal.id,
        created_at=now,
        updated_at=now,
    )
    session.add(insight)
    await session.flush()
    _audited(session, principal, "propose", insight)
    return insight


async def change(session: AsyncSession, principal: Principal, insight: Insight, wanted: InsightPatch) -> None:
    """By its author or a strategist, until it is archived."""
    if insight.author != principal.id and not principal.has(Role.strategist):
        raise Forbidden(
            "Only its author or a strategist changes an insight; say what you think in a comment."
        )
    _refuse_archived(insight)
    given = wanted.model_fields_set
    await _check_links(session, wanted.segment, wanted.feature)
    for name in ("title", "text"):
        if getattr(wanted, name) is not None:
            setattr(insight, name, getattr(wanted, name))
    if wanted.tags is not None:
        insight.tags = _distinct(wanted.tags)
    for name in {"segment", "feature"} & given:
        setattr(insight, name, getattr(wanted, name))
    if "group" in given:
        insight.group_sql = await rule_sql(session, wanted.group, "/group")
    await _touched(session, insight)
    _audited(session, principal, "change", insight, {"fields": sorted(given)})


async def move(session: AsyncSession, principal: Principal, insight: Insight, wanted: InsightMove) -> None:
    """To a legal next state. Raises `Conflict` naming those; validated and refuted need a test saying so."""
    tests = await tests_of(session, insight.id)
    newest: Verdict | None = verdicts(tests)[0][1] if tests else None
    before = insight.state
    check_move(InsightState(before), wanted.to, newest.value if newest else None)
    insight.state = wanted.to
    await _touched(session, insight)
    if wanted.reason is not None:
        session.add(_comment(insight, principal, CommentCreate(text=wanted.reason)))
        await session.flush()
    _audited(session, principal, "move", insight, {"from": before, "to": wanted.to})


async def comment(
    session: AsyncSession, principal: Principal, insight: Insight, wanted: CommentCreate
) -> InsightComment:
    _refuse_archived(insight)
    said = _comment(insight, principal, wanted)
    session.add(said)
    await session.flush()
    action = "add-evidence" if wanted.kind is CommentKind.evidence else "comment"
    _audited(session, principal, action, insight)
    return said


async def vote(session: AsyncSession, principal: Principal, insight: Insight, value: int) -> None:
    """One per person; the last one counts, 0 takes it back."""
    _refuse_archived(insight)
    if value == 0:
        await session.execute(
            delete(InsightVote).where(InsightVote.insight_id == insight.id, InsightVote.voter == principal.id)
        )
    else:
        cast_ = insert(InsightVote).values(
            insight_id=insight.id, voter=principal.id, value=value, voted_at=clock.now()
        )
        await session.execute(
            cast_.on_conflict_do_update(
                index_elements=[InsightVote.insight_id, InsightVote.voter],
                set_={"value": cast_.excluded.value, "voted_at": cast_.excluded.voted_at},
            )
        )
    _audited(session, principal, "vote", insight, {"value": value})


async def promote(
    session: AsyncSession, principal: Principal, insight: Insight, wanted: PromoteRequest
) -> Segment:
    """A draft segment of the newest supported test's group. Only from validated, only once."""
    if insight.state != InsightState.validated:
        raise Conflict(f"It is {insight.state}: only what was validated becomes a segment.")
    if insight.promoted_segment is not None:
        raise Conflict(f"It became segment {insight.promoted_segment} already.")
    tests = await tests_of(session, insight.id)
    supported = [
        test for test, (_, found) in zip(tests, verdicts(tests), strict=True) if found is Verdict.supported
    ]
    if not supported:
        raise Conflict("With the tests made since, none supports it any more: look at them again.")
    segment = await create_segment(
        session,
        principal,
        SegmentCreate(
            key=wanted.key,
            name=wanted.name,
            description=f"From insight {insight.id}: {insight.title}",
            definition=SqlDefinition(sql=supported[0].group_sql),
        ),
    )
    insight.promoted_segment = segment.id
    await _touched(session, insight)
    _audited(session, principal, "promote", insight, {"segment": segment.key})
    return segment


async def rule_sql(session: AsyncSession, definition: SegmentDefinition | None, pointer: str) -> str | None:
    """The canonical text of a rule; errors point below `pointer`."""
    if definition is None:
        return None
    try:
        rule = read_definition(definition, await load_catalogue(session))
        check_references(_NO_KEY, segment_keys(rule), await references(session), "/definition")
    except Unprocessable as error:
        errors = [FieldError(_moved(each.pointer, pointer), each.detail) for each in error.errors]
        raise Unprocessable(error.detail, errors=errors, slug=error.type.rpartition("/")[2]) from None
    return to_sql(rule)


def _moved(pointer: str, below: str) -> str:
    return below + pointer.removeprefix("/definition")


def _comment(insight: Insight, principal: Principal, wanted: CommentCreate) -> InsightComment:
    return InsightComment(
        id=new_id(),
        insight_id=insight.id,
        kind=wanted.kind,
        text=wanted.text,
        reference=wanted.reference,
        author=principal.id,
        created_at=clock.now(),
    )


async def _check_links(session: AsyncSession, segment: str | None, feature: str | None) -> None:
    errors = []
    if segment is not None:
        live = select(Segment.id).where(Segment.key == segment, Segment.state != SegmentState.archived)
        if await session.scalar(live) is None:
            errors.append(FieldError("/segment", f"there is no segment '{segment}'"))
    if feature is not None and feature not in await load_catalogue(session):
        errors.append(FieldError("/feature", f"there is no feature '{feature}'"))
    if errors:
        raise Unprocessable("It refers to something that does not exist.", errors=errors)


def _distinct(tags: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(tags))


def _refuse_archived(insight: Insight) -> None:
    if insight.state == InsightState.archived:
        raise Conflict("The insight is archived.")


async def _touched(session: AsyncSession, insight: Insight) -> None:
    insight.revision += 1
    insight.updated_at = clock.now()
    await session.flush()


def _audited(
    session: AsyncSession,
    principal: Principal,
    action: str,
    insight: Insight,
    detail: dict[str, Any] | None = None,
) -> None:
    # Whoever speaks from below about an insight of a unit above leaves the entry in the own unit.
    path = insight.org_path if principal.covers(insight.org_path) else principal.org
    audit(session, principal, action, f"insight/{insight.id}", detail, org_path=path)
