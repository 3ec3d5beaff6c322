"""The salted hash: shares as declared, no memory, no order."""

from itertools import pairwise
from random import Random
from uuid import UUID, uuid4

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from services.campaign.domain.split import contact_key, key_of, position, salt_of, slot_of, slots, wave_of
from shared.contracts.campaign import Arm


def an_arm(key: str, share: float) -> Arm:
    return Arm(key=key, share=share, offer="o", channel="manager_task", script="s@1")


CUT = slots(0.1, [an_arm("call", 0.45), an_arm("visit", 0.45)])


def test_positions_are_fixed_numbers() -> None:
    """Against sha256sum of coreutils: the split must not change between versions of this code."""
    assert position("salt", UUID(int=1)) == (0xE0692A6E0AAE6553 >> 11) / 2**53
    assert contact_key(UUID(int=1), 1, UUID(int=2)) == UUID("02e12cfc-99c6-85bd-9313-d1968a005e67")


def test_slots_cover_the_axis_without_gap() -> None:
    assert [(slot.arm, slot.propensity) for slot in CUT] == [(None, 0.1), ("call", 0.45), ("visit", 0.45)]
    assert CUT[0].lower == 0
    assert CUT[-1].upper == 1
    assert all(left.upper == right.lower for left, right in pairwise(CUT))
    assert [slot.arm for slot in slots(0, [an_arm("only", 1.0)])] == ["only"]


@given(
    st.lists(st.integers(1, 100), min_size=1, max_size=8),
    st.floats(0, 1, exclude_max=True),
    st.integers(0, 99),
)
def test_every_position_has_one_slot(weights: list[int], at: float, held: int) -> None:
    total = sum(weights) + held
    cut = slots(held / total, [an_arm(f"a{i}", weight / total) for i, weight in enumerate(weights)])
    holding = [slot for slot in cut if slot.lower <= at < slot.upper]
    assert holding == [slot_of(at, cut)]


@settings(max_examples=25, deadline=None)
@given(st.text(min_size=1, max_size=20), st.integers(0, 2**32))
def test_shares_stay_within_binomial_bounds(salt: str, seed: int) -> None:
    random = Random(seed)
    ids = [UUID(int=random.getrandbits(128)) for _ in range(4000)]
    arms = [slot_of(position(salt, customer), CUT).arm for customer in ids]
    for slot in CUT:
        # One in ten million: a false alarm is not expected in the life of this test.
        assert binomtest(arms.count(slot.arm), len(ids), slot.propensity).pvalue > 1e-7


@given(st.lists(st.uuids(), unique=True, max_size=50), st.randoms())
def test_the_order_of_customers_changes_nothing(ids: list[UUID], random: Random) -> None:
    shuffled = random.sample(ids, len(ids))
    assert {c: slot_of(position("s", c), CUT) for c in ids} == {
        c: slot_of(position("s", c), CUT) for c in shuffled
    }


def test_purposes_do_not_correlate() -> None:
    campaign = uuid4()
    random = Random(5)
    ids = [UUID(int=random.getrandbits(128)) for _ in range(5000)]
    arm = np.array([position(salt_of("arm", campaign), customer) for customer in ids])
    wave = np.array([position(salt_of("wave", campaign), customer) for customer in ids])
    assert abs(np.corrcoef(arm, wave)[0, 1]) < 0.07
    assert {wave_of(at, 3) for at in wave} == {1, 2, 3}


@given(st.lists(st.tuples(st.uuids(), st.sampled_from(["M1", "M2", "M3", "hq.sh.pudong"])), max_size=60))
def test_of_a_manager_or_branch_all_customers_have_one_place(owned: list[tuple[UUID, str]]) -> None:
    arms = {(name, slot_of(position("s", key_of(name)), CUT)) for _, name in owned}
    assert len(arms) == len({name for _, name in owned})


def test_places_of_managers_are_fixed_numbers_and_spread_as_declared() -> None:
    """Against sha256sum of coreutils, as above."""
    assert key_of("盐") == UUID("9e3e9723-6c4e-caf2-2657-d827086c8b2a")
    arms = [slot_of(position("s", key_of(f"M{number}")), CUT).arm for number in range(4000)]
    for slot in CUT:
        assert binomtest(arms.count(slot.arm), len(arms), slot.propensity).pvalue > 1e-7
