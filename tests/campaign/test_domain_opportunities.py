"""Numbers of opportunities: weighting, conversion through the stages, a customer's state."""

from decimal import Decimal

import pytest

from services.campaign.domain.opportunities import (
    check_stages,
    passages,
    probability,
    rad_of,
    require_verb,
    stage_named,
    weighted,
)
from shared.contracts.campaign.opportunities import Stage
from shared.errors import Conflict, Unprocessable


def _stages(*likely: str) -> list[Stage]:
    return [
        Stage.model_validate(
            {"key": f"s{n}", "name": {"zh": f"{n}", "en": f"{n}"}, "probability": Decimal(each)}
        )
        for n, each in enumerate(likely, 1)
    ]


def test_worth_is_amount_times_probability_to_the_cent() -> None:
    assert weighted(Decimal("100.01"), Decimal("0.25")) == Decimal("25.00")
    assert weighted(Decimal("100.02"), Decimal("0.25")) == Decimal("25.01")  # 25.005: halves up
    stages = _stages("0.1", "0.5")
    assert [probability(stages, status, "s2") for status in ("open", "won", "lost")] == [
        Decimal("0.5"),
        Decimal(1),
        Decimal(0),
    ]


def test_who_came_further_passed_what_lies_before() -> None:
    """Ten opened: 3 lost and 1 open as leads, 1 lost and 1 open as proposals, 1 open in talks, 3 won."""
    lead, proposal, talks = passages([4, 2, 1], [3, 1, 0], 3)
    assert (lead.reached, lead.advanced, lead.lost) == (10, 6, 3)
    assert (proposal.reached, proposal.advanced, proposal.lost) == (6, 4, 1)
    assert (talks.reached, talks.advanced, talks.lost) == (4, 3, 0)
    assert [each.conversion for each in (lead, proposal, talks)] == [6 / 9, 4 / 5, 1.0]
    assert passages([2], [0], 0)[0].conversion is None


@pytest.mark.parametrize(
    ("months", "won", "recent", "before", "state"),
    [
        (0, 0, None, None, "acquire"),
        (0, 1, None, None, "develop"),
        (4, 0, "100.00", None, "develop"),
        (6, 0, "80.00", "100.00", "develop"),
        (6, 0, "79.99", "100.00", "retain"),
        (6, 0, "-5.00", "-1.00", "develop"),
        (12, 3, None, "100.00", "develop"),
    ],
)
def test_a_customers_state(months: int, won: int, recent: str | None, before: str | None, state: str) -> None:
    figures = [Decimal(each) if each else None for each in (recent, before)]
    assert rad_of(months, won, *figures) == state


def test_stages_are_one_way() -> None:
    check_stages(_stages("0.1", "0.1", "0.9"))
    twice = [*_stages("0.1"), *_stages("0.05")]
    twice.append(Stage.model_validate({**twice[0].model_dump(), "key": "won"}))
    with pytest.raises(Unprocessable) as refused:
        check_stages(twice)
    assert [each.pointer for each in refused.value.errors] == [
        "/stages/1/key",
        "/stages/1/probability",
        "/stages/2/key",
    ]
    with pytest.raises(Unprocessable):
        stage_named(_stages("0.1"), "s2")
    with pytest.raises(Conflict, match="legal now: reopen"):
        require_verb("won", "move")
