"""Testing an insight: the claim computed on the data of one moment, kept with that moment."""

from dataclasses import asdict
from math import sqrt
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.definitions import stored_rule
from services.segmentation.domain.features import Catalogue
from services.segmentation.domain.hypothesis import Arm, welch
from services.segmentation.domain.insight_states import illegal
from services.segmentation.domain.rules.compiler import Moment
from services.segmentation.domain.rules.tree import segment_keys
from services.segmentation.models import Insight, InsightTest
from services.segmentation.queries.compiled import members_back
from services.segmentation.queries.features import load_catalogue
from services.segmentation.queries.hypotheses import arms
from services.segmentation.queries.insights import tests_of
from services.segmentation.queries.profile import NUMERIC
from services.segmentation.store.store import Store, position
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


async def test_insight(
    session: AsyncSession, principal: Principal, store: Store, insight: Insight, claim: TestRequest
) -> InsightTest:
    """Computes and keeps the result; a discussed insight is then being tested.

    Raises `Conflict` in other states, `Unprocessable` for an unknown metric or a missing group.
    """
    state = InsightState(insight.state)
    if state not in _OPEN:
        raise illegal(state, f"An insight that is {state} is not tested: discussed and testing ones are.")
    catalogue = await load_catalogue(session)
    _check_metric(claim.metric, catalogue)
    group = await rule_sql(session, claim.group, "/group") or insight.group_sql
    if group is None:
        raise Unprocessable("Which customers?", errors=[FieldError("/group", "the insight has no group")])
    against = await rule_sql(session, claim.against, "/against")
    tests = await tests_of(session, insight.id)
    if len(tests) >= MAX_TESTS:
        raise Conflict(f"It was tested {MAX_TESTS} times: enough searching for a result.")
    test = InsightTest(
        id=new_id(),
        insight_id=insight.id,
        number=tests[0].number + 1 if tests else 1,
        scope=principal.org,
        group_sql=group,
        against_sql=against,
        metric=claim.metric,
        direction=claim.direction,
        minimal_difference=claim.minimal_difference,
        created_by=principal.id,
    )
    await _compute(session, store, test, catalogue)
    session.add(test)
    if state is InsightState.discussed:
        insight.state = InsightState.testing
        insight.revision += 1
        insight.updated_at = test.evaluated_at
    await session.flush()
    detail = {"number": test.number, "metric": test.metric, "direction": test.direction}
    path = insight.org_path
    await audit(session, principal, "test", f"insight/{insight.id}", detail, org_path=path)
    return test


def _check_metric(metric: str, catalogue: Catalogue) -> None:
    if metric not in catalogue:
        near = catalogue.nearest(metric)
        detail = f"there is no feature '{metric}'" + (f"; did you mean '{near}'?" if near else "")
        raise Unprocessable(detail, errors=[FieldError("/metric", detail)])
    if catalogue[metric].type not in NUMERIC:
        detail = f"'{metric}' is a {catalogue[metric].type}: it has no mean"
        raise Unprocessable(detail, errors=[FieldError("/metric", detail)])


async def _compute(session: AsyncSession, store: Store, test: InsightTest, catalogue: Catalogue) -> None:
    moment = Moment(clock.now(), clock.ZONE)
    group = stored_rule(test.group_sql)
    against = stored_rule(test.against_sql) if test.against_sql else None
    keys = segment_keys(group) | (segment_keys(against) if against else set())
    (members,) = await members_back(session, keys, [moment.at])
    (inside, compared), applied = await store.run(
        lambda cursor: (
            arms(cursor, group, against, test.metric, catalogue, members, moment, test.scope),
            position(cursor, STREAM) or 0,
        )
    )
    outcome = welch(
        inside, compared, "higher" if test.direction == "higher" else "lower", test.minimal_difference
    )
    test.result = {**asdict(outcome), "in_group": _kept(inside), "compared": _kept(compared)}
    test.evaluated_at = moment.at
    test.stream_position = applied


def _kept(arm: Arm) -> dict[str, Any]:
    deviation = None if arm.variance is None else sqrt(arm.variance)
    return {"customers": arm.customers, "n": arm.n, "mean": arm.mean, "deviation": deviation}
