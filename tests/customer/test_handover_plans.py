"""Plans of a handover: clean, or saying why not, whatever the portfolio."""

from collections import Counter
from decimal import Decimal
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.customer.domain.handover import (
    Filter,
    Held,
    Person,
    Strategy,
    Taker,
    continuity,
    plan,
)

codes = st.sampled_from(["A", "B", "C", "D", None])
people = {
    code: Person(code, org, active=active, load=load)
    for code, org, active, load in (
        ("A", "hq.x.main", True, 0),
        ("B", "hq.x.main", True, 3),
        ("C", "hq.x.main", True, 1),
        ("D", "hq.x.main", False, 0),
        ("E", "hq.x.other", True, 0),
        ("H", "hq.x", True, 9),
    )
}
held = st.builds(
    lambda primary, backup, as_primary, org, assets: Held(
        UUID(int=0),
        org,
        "A" if as_primary else primary,
        backup if as_primary else "A",
        assets=Decimal(assets),
    ),
    st.sampled_from(["B", "C", "D", None]),
    st.sampled_from(["B", "C", "D", None]),
    st.booleans(),
    st.sampled_from(["hq.x.main", "hq.x.other"]),
    st.integers(0, 10),
)
strategies = st.one_of(
    st.just(Strategy("backup_takes_over")),
    st.builds(
        lambda takers, keep: Strategy("receivers", tuple(takers), keep_in_branch=keep),
        st.lists(
            st.builds(
                Taker,
                st.sampled_from(["B", "C", "E", "H"]),
                st.integers(1, 5).map(Decimal),
                st.one_of(st.none(), st.just(Filter(min_assets=Decimal(5)))),
            ),
            min_size=1,
            max_size=3,
            unique_by=lambda taker: taker.staff,
        ),
        st.booleans(),
    ),
)


@given(st.lists(held, max_size=12), strategies)
def test_a_plan_is_clean_or_says_why(drawn: list[Held], strategy: Strategy) -> None:
    portfolio = [
        Held(UUID(int=n), one.org, one.primary, one.backup, assets=one.assets) for n, one in enumerate(drawn)
    ]
    planned = plan("A", portfolio, people, strategy)
    named = {customer for customer, _ in planned.violations}
    assert [move.held for move in planned.moves] == portfolio
    for move in planned.moves:
        assert bool(continuity(move, "A", people)) == (move.held.customer_id in named)
        if move.held.customer_id in named:
            continue
        assert move.primary is not None
        assert move.backup is not None
        pair = (people[move.primary], people[move.backup])
        assert move.primary != move.backup
        assert "A" not in (move.primary, move.backup)
        assert all(person.active and move.org.startswith(person.org) for person in pair)
        if strategy.keep_in_branch:
            assert move.org == move.held.org
    assert planned == plan("A", reversed(portfolio), people, strategy)


@given(st.integers(1, 200), st.lists(st.integers(1, 5), min_size=2, max_size=3))
def test_receivers_get_their_part(customers: int, weights: list[int]) -> None:
    takers = tuple(Taker(code, Decimal(weight)) for code, weight in zip("BCH", weights, strict=False))
    portfolio = [Held(UUID(int=n), "hq.x.main", "A", None) for n in range(customers)]
    counts = Counter(
        move.primary for move in plan("A", portfolio, people, Strategy("receivers", takers)).moves
    )
    for taker in takers:
        fair = customers * taker.weight / sum(weights)
        assert abs(counts[taker.staff] - fair) < len(takers)
