"""Scorecards: asked for, computed on one reading of the store, and kept as drafts."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from uuid import UUID

import httpx
import numpy as np
import pyarrow as pa
from sqlalchemy import ColumnElement, delete, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.evaluation.domain.indicators import INDICATORS, Indicator, days_of
from services.evaluation.domain.scorecard import ALPHA, DRAWS, Observed, beside, compare, of_customers
from services.evaluation.models import ScorecardRow, ScorecardSubject
from services.evaluation.queries import scorecard_cards as documents
from services.evaluation.store import Store
from services.evaluation.store.scorecards import SHARES, Given, Outcomes, ScorecardQuestion, given
from shared import clock
from shared.auth import Principal
from shared.columnar import ARROW
from shared.contracts.base import JobView
from shared.contracts.evaluation.scorecards import (
    ScorecardHead,
    ScorecardMethod,
    ScorecardWanted,
    SubjectCard,
)
from shared.errors import FieldError, Forbidden, Unavailable, Unprocessable
from shared.jobs import defer

TASK = "scorecard"
_METHOD = "additive case-mix model, hierarchical shrinkage, ranks of posterior draws"
ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtext('huanying.scorecard'))")


# ── asking ────────────────────────────────────────────────────────────────────────────────────────────────


async def request_draft(session: AsyncSession, principal: Principal, wanted: ScorecardWanted) -> JobView:
    """Queue the computation; it replaces an earlier draft of the same."""
    check(principal, wanted)
    return await defer(session, principal, TASK, arguments(principal, wanted=wanted, publish=False))


def arguments(principal: Principal, *, wanted: ScorecardWanted, publish: bool) -> dict[str, object]:
    """Of the job."""
    return {"wanted": wanted.model_dump(mode="json"), "publish": publish, "org": principal.org}


def check(principal: Principal, wanted: ScorecardWanted) -> None:
    """Forbidden outside the principal's organisation; 422 when the period has not begun."""
    require_org(principal, wanted.org)
    if days_of(wanted.period)[0] > clock.today():
        raise Unprocessable("The period has not begun.", errors=[FieldError("/period", "lies in the future")])


def require_org(principal: Principal, org: str) -> None:
    """Forbidden when it is not of the principal's organisation."""
    if not principal.covers(org):
        raise Forbidden(f"{org} is not of your organisation")


def same(wanted: ScorecardWanted) -> tuple[ColumnElement[bool], ...]:
    """Of the same period, level and organisation."""
    return (
        ScorecardRow.level == wanted.level,
        ScorecardRow.depth == _depth(wanted),
        ScorecardRow.period == wanted.period,
        ScorecardRow.org_path == wanted.org,
    )


def _depth(wanted: ScorecardWanted) -> int:
    return wanted.depth if wanted.level == "branch" else 0


def wanted_of(head: ScorecardHead) -> ScorecardWanted:
    """What was asked for."""
    return ScorecardWanted(
        level=head.level,
        period=head.period,
        depth=head.depth or 2,
        org=head.org,
        minimum=head.minimum,
    )


# ── computing ─────────────────────────────────────────────────────────────────────────────────────────────


async def branch_shares(customer: httpx.AsyncClient, wanted: ScorecardWanted) -> pa.Table:
    """Who shares which customer, by day, as the customer service says; Unavailable when it does not. Managers
    share none.
    """
    if wanted.level == "staff":
        return SHARES.empty_table()
    try:
        answer = await customer.get("/v1/exports/shares", headers={"Accept": ARROW})
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise Unavailable("The customer service cannot say which branches share customers.") from error
    with pa.ipc.open_stream(answer.content) as reader:
        return reader.read_all().select(SHARES.names).cast(SHARES)


async def gather(store: Store, wanted: ScorecardWanted, shares: pa.Table, until: datetime) -> Given:
    """One consistent reading of the store."""
    first, last = days_of(wanted.period)
    scope = "*" if wanted.org == "hq" else wanted.org
    question = ScorecardQuestion(wanted.level, wanted.depth, first, last, until, scope)
    return await store.read(lambda cursor: given(cursor, question, shares))


def compute(
    scorecard_id: UUID, wanted: ScorecardWanted, seen: Given, until: datetime
) -> tuple[ScorecardHead, list[SubjectCard]]:
    """Takes seconds with thousands of subjects: run it in a thread."""
    subjects = sorted(seen.customers)
    digest = _input_hash(wanted, seen)
    first, last = days_of(wanted.period)
    tables = {indicator.key: _table(indicator, seen, subjects) for indicator in INDICATORS}
    found = {
        indicator.key: compare(
            tables[indicator.key], wanted.minimum, indicator.better, _seed(digest, indicator.key)
        )
        for indicator in INDICATORS
    }
    scored = [
        documents.scores(indicator, found[indicator.key], subjects, tables[indicator.key].totals)
        for indicator in INDICATORS
    ]
    head = ScorecardHead(
        id=scorecard_id,
        state="draft",
        level=wanted.level,
        depth=wanted.depth if wanted.level == "branch" else None,
        period=wanted.period,
        first_day=first,
        last_day=last,
        org=wanted.org,
        minimum=wanted.minimum,
        as_of=until,
        complete=seen.matured / seen.assigned if seen.assigned else 0.0,
        shared=seen.shared,
        comparisons=[documents.comparison(indicator, found[indicator.key]) for indicator in INDICATORS],
        method=ScorecardMethod(
            name=_METHOD, alpha=ALPHA, draws=DRAWS, code_version=version("huanying"), input_hash=digest
        ),
        reading=documents.READING,
    )
    return head, documents.cards(seen, scored, branches=wanted.level == "branch")


def _table(indicator: Indicator, seen: Given, subjects: Sequence[str]) -> Observed:
    number = {subject: at for at, subject in enumerate(subjects)}
    if indicator.role == "effect":
        return beside(_numbered(seen.treated, number), _numbered(seen.held_out, number))
    return _numbered(seen.outcomes[indicator.column], number)


def _numbered(outcomes: Outcomes, number: Mapping[str, int]) -> Observed:
    """Of who was given customers: an owner who was given none has no card."""
    kept = outcomes.taken(np.array([subject in number for subject in outcomes.subject], dtype=np.bool_))
    numbers = np.array([number[subject] for subject in kept.subject], dtype=np.intp)
    return of_customers(numbers, kept.cell, kept.customers, kept.mean, kept.m2)


def _seed(digest: str, indicator: str) -> int:
    return int(hashlib.sha256(f"{digest}/{indicator}".encode()).hexdigest()[:15], 16)


def _input_hash(wanted: ScorecardWanted, seen: Given) -> str:
    """Changes when any figure does that the comparison rests on."""
    digest = hashlib.sha256(wanted.model_dump_json().encode())
    for name, outcomes in (*seen.outcomes.items(), ("treated", seen.treated), ("held_out", seen.held_out)):
        digest.update(name.encode())
        digest.update("\n".join(outcomes.subject).encode())
        for values in outcomes.arrays()[1:]:
            digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


# ── keeping ───────────────────────────────────────────────────────────────────────────────────────────────


async def keep(
    session: AsyncSession, principal: Principal, head: ScorecardHead, cards: list[SubjectCard]
) -> None:
    """As the draft of its kind, in place of an earlier one. A repetition of the same job changes nothing."""
    await session.execute(ONE_AT_A_TIME)
    if await session.get(ScorecardRow, head.id) is not None:
        return
    earlier = select(ScorecardRow.id).where(*same(wanted_of(head)), ScorecardRow.state == "draft")
    await session.execute(delete(ScorecardSubject).where(ScorecardSubject.scorecard_id.in_(earlier)))
    await session.execute(delete(ScorecardRow).where(ScorecardRow.id.in_(earlier)))
    session.add(
        ScorecardRow(
            id=head.id,
            level=head.level,
            depth=head.depth or 0,
            period=head.period,
            org_path=head.org,
            state="draft",
            document=head.model_dump(mode="json"),
            subjects=len(cards),
            computed_at=head.as_of,
            computed_by=principal.id,
        )
    )
    await session.flush()
    session.add_all(
        ScorecardSubject(
            scorecard_id=head.id,
            subject=card.subject,
            org_path=card.org,
            staff=card.staff,
            card=card.model_dump(mode="json"),
        )
        for card in cards
    )
    await session.flush()
