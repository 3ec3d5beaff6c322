"""How fast a campaign uses up money and quota."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from services.evaluation.domain.pace import rate
from services.evaluation.queries.pace import campaign_pace
from services.evaluation.store.pace import Used
from shared.auth import Role
from shared.ids import new_id
from tests.evaluation.bank import BRANCHES, Campaign
from tests.support import Running, eventually

AT = datetime(2026, 3, 10, 4, tzinfo=UTC)


def test_a_rate_is_the_mean_of_the_last_week_with_students_interval() -> None:
    found = rate([999, 10, 12, 8, 10, 14, 6, 10])
    assert found is not None
    assert found.per_day == 10
    # t(6; .975) = 2.446912, s = 2.581989
    assert found.high - 10 == pytest.approx(2.446912 * 2.581989 / 7**0.5, rel=1e-6)
    assert found.low == pytest.approx(20 - found.high)
    assert rate([5, 5]) is None
    assert rate([0, 0, 0]) is not None


def test_days_without_a_contact_count_and_today_is_not_over() -> None:
    used = [
        Used(date(2026, 3, 6), "fund", 3, Decimal("9.00"), 1),
        Used(date(2026, 3, 6), "fund", 1, Decimal("3.00"), 1),
        Used(date(2026, 3, 8), "loan", 2, Decimal("6.00"), 0),
        Used(date(2026, 3, 10), "fund", 9, Decimal("99.00"), 9),
    ]
    pace = campaign_pace(new_id(), used, date(2026, 3, 6), date(2026, 3, 31), AT)
    assert [day.day.day for day in pace.days] == [6, 7, 8, 9, 10]
    assert pace.days[0].sold == {"fund": 2}
    assert pace.rate_days == 4
    assert pace.cost_rate is not None
    assert pace.cost_rate.per_day == Decimal("4.50")
    assert pace.sold_rates["fund"].per_day == Decimal("0.50")


def test_before_the_third_whole_day_there_is_no_rate() -> None:
    pace = campaign_pace(new_id(), [], date(2026, 3, 9), date(2026, 3, 31), AT)
    assert (pace.cost_rate, pace.sold_rates, pace.rate_days) == (None, {}, 1)


async def test_the_service_counts_by_day_and_branch(evaluation: Running) -> None:
    campaign = Campaign(treated=30, held_out=6)
    await evaluation.publish(*campaign.facts())
    async with evaluation.client(Role.strategist) as client:

        async def there() -> bool:
            answer = await client.get(f"/v1/campaigns/{campaign.id}/pace")
            return answer.status_code == 200 and sum(d["contacts"] for d in answer.json()["days"]) == 30

        await eventually(there, what="the contacts")
        pace = (await client.get(f"/v1/campaigns/{campaign.id}/pace")).json()
    assert sum(Decimal(day["cost"]) for day in pace["days"]) == 180
    async with evaluation.client(Role.branch_head, org=BRANCHES[0]) as head:
        own = (await head.get(f"/v1/campaigns/{campaign.id}/pace")).json()
    assert sum(day["contacts"] for day in own["days"]) == 10
