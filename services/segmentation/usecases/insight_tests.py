"""Testing an insight: the claim computed on the data of one moment, kept with that moment."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

import duckdb
from pyroaring import BitMap
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.definitions import stored_rule
from services.segmentation.domain.features import Catalogue
from services.segmentation.domain.hypothesis import Arm, welch
from services.segmentation.domain.insight_states import illegal
from services.segmentation.domain.rules.compiler import Moment
from services.segmentation.domain.rules.tree import segment_keys
from services.segmentation.models import Insight, InsightTest
from services.segmentation.queries.features import load_catalogue
from services.segmentation.queries.hypotheses import arms
from services.segmentation.queries.insights import tests_of
from services.segmentation.queries.past_members import members_back
from services.segmentation.queries.profile import NUMERIC
from services.segmentation.store.store import position
from services.segmentation.usecases.feed import STREAM
from services.segmentation.usecases.insights import rule_sql
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.segmentation.insights import InsightState, TestRequest
from shared.errors import Conflict, FieldError, Unprocessable
from shared.ids import new_id

MAX_TESTS = 100
_OPEN = {InsightState.discussed, InsightState.testing}


@dataclass(frozen=True)
class Claim:
    """What is claimed of which customers, and all that the store is asked with."""

    wanted: TestRequest
    group: str
    against: str | None
    scope: str
    moment: Moment
    members: Mapping[str, BitMap]
    catalogue: Catalogue


@dataclass(frozen=True)
class Answer:
    """What the data say: JSON, and the stream position they were at."""

    result: dict[str, Any]
    stream_position: int


async def read_claim(
    session: AsyncSession, principal: Principal, insight: Insight, wanted: TestRequest
) -> Claim:
    """Raises `Conflict` in states that are not tested, `Unprocessable` for an unknown metric or no group."""
    await _check_open(session, insight)
    catalogue = await load_catalogue(session)
    _check_metric(wanted.metric, catalogue)
    group = await rule_sql(session, wanted.group, "/group") or insight.group_sql
    if group is None:
        raise Unprocessable("Which customers?", errors=[FieldError("/group", "the insight has no group")])
    against = await rule_sql(session, wanted.against, "/against")
    moment = Moment(clock.now(), clock.ZONE)
    keys = {key for sql in (group, against) if sql for key in segment_keys(stored_rule(sql))}
    (members,) = await members_back(session, keys, [moment.at])
    return Claim(wanted, group, against, principal.org, moment, members, catalogue)


async def _check_open(session: AsyncSession, insight: Insight) -> list[InsightTest]:
    """The tests it had."""
    state = InsightState(insight.state)
    if state not in _OPEN:
        raise illegal(state, f"An insight that is {state} is not tested: discussed and testing ones are.")
    tests = await tests_of(session, insight.id)
    if len(tests) >= MAX_TESTS:
        raise Conflict(f"It was tested {MAX_TESTS} times: enough searching for a result.")
    return tests


def answer(cursor: duckdb.DuckDBPyConnection, claim: Claim) -> Answer:
    wanted = claim.wanted
    group = stored_rule(claim.group)
    against = stored_rule(claim.against) if claim.against else None
    inside, compared = arms(
        cursor, group, against, wanted.metric, claim.catalogue, claim.members, claim.moment, claim.scope
    )
    outcome = welch(inside, compared, wanted.direction, wanted.minimal_difference)
    result = {**asdict(outcome), "in_group": _kept(inside), "compared": _kept(compared)}
    return Answer(result, position(cursor, STREAM) or 0)


async def keep_test(
    session: AsyncSession, principal: Principal, insight: Insight, claim: Claim, found: Answer
) -> InsightTest:
    """A discussed insight is then being tested. Raises `Conflict` if it has left the states that are tested.
    `insight` is locked.
    """
    tests, wanted = await _check_open(session, insight), claim.wanted
    test = InsightTest(
        id=new_id(),
        insight_id=insight.id,
        number=tests[0].number + 1 if tests else 1,
        scope=claim.scope,
        group_sql=claim.group,
        against_sql=claim.against,
        metric=wanted.metric,
        direction=wanted.direction,
        minimal_difference=wanted.minimal_difference,
        result=found.result,
        evaluated_at=claim.moment.at,
        stream_position=found.stream_position,
        created_by=principal.id,
    )
    session.add(test)
    if insight.state == InsightState.discussed:
        insight.state = InsightState.testing
        insight.revision += 1
        insight.updated_at = test.evaluated_at
    await session.flush()
    detail = {"number": test.number, "metric": test.metric, "direction": test.direction}
    path = insight.org_path
    audit(session, principal, "test", f"insight/{insight.id}", detail, org_path=path)
    return test


def _check_metric(metric: str, catalogue: Catalogue) -> None:
    if metric not in catalogue:
        near = catalogue.nearest(metric)
        detail = f"there is no feature '{metric}'" + (f"; did you mean '{near}'?" if near else "")
        raise Unprocessable(detail, errors=[FieldError("/metric", detail)])
    if catalogue[metric].type not in NUMERIC:
        detail = f"'{metric}' is a {catalogue[metric].type}: it has no mean"
        raise Unprocessable(detail, errors=[FieldError("/metric", detail)])


def _kept(arm: Arm) -> dict[str, Any]:
    deviation = None if arm.variance is None else sqrt(arm.variance)
    return {"customers": arm.customers, "n": arm.n, "mean": arm.mean, "deviation": deviation}
