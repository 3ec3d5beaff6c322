"""Incremental evaluation equals a full one: random rules, facts told in any order, any clock, any edit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap

from services.segmentation.domain.feature_catalogue import BUILT_IN
from services.segmentation.domain.rules.compiler import Moment
from services.segmentation.domain.rules.problems import RuleError
from services.segmentation.domain.rules.references import evaluation_order
from services.segmentation.domain.rules.text import to_sql
from services.segmentation.domain.rules.tree import Direction, Related, Rule, segment_keys
from services.segmentation.domain.rules.windows import scheduled
from services.segmentation.store import schema
from services.segmentation.store.agenda import Agenda
from services.segmentation.store.store import Store, set_watermark
from services.segmentation.usecases import passes
from services.segmentation.usecases.feed import STREAM, write
from services.segmentation.usecases.passes import (
    EVERYBODY,
    NOBODY,
    Shadow,
    Standing,
    evaluate_rules,
    make_shadow,
    take_pass,
)
from tests.segmentation.living_bank import LivingBank
from tests.segmentation.rules_oracle import ZONE
from tests.segmentation.rules_random import RELATIONS, SEGMENTS, Rules

CASES = 4
"""Of one bank after the other, see `live`."""
KEYS = ("gold", "open-complaint", *(f"s{number}" for number in range(6)))
OUTSIDE = "open-complaint"
"""Evaluated on demand only; other rules refer to it."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = Store(tmp_path_factory.mktemp("store") / "incremental.duckdb", threads=1)
    yield opened
    opened.close()


@pytest.fixture(scope="module", autouse=True)
def _never_everybody() -> Iterator[None]:
    """Of few customers half are soon touched: looking at everybody then would prove nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passes, "_WORTH_IT", 2.0)
        yield


@dataclass
class Engine:
    """What the database keeps between passes, and a worker that takes them, fails and starts again."""

    store: Store
    bank: LivingBank
    random: Random
    standing: Standing = field(default_factory=lambda: Standing(None))
    shadows: dict[str, Shadow] = field(default_factory=dict)
    agenda: Agenda = field(default_factory=lambda: Agenda(STREAM))
    history: dict[str, list[tuple[BitMap, BitMap]]] = field(default_factory=dict)
    position: int = 0
    passes: int = 0

    @property
    def moment(self) -> Moment:
        return Moment(self.bank.clock, ZONE)

    def tell(self) -> None:
        self.position += self.random.randint(1, 3)
        write(self.store, STREAM, self.bank.happen(self.random.randint(1, 8)), self.position)

    def publish(self, keys: Sequence[str] = ()) -> None:
        """New versions of rules, evaluated beside the old ones."""
        made: dict[str, Rule] = {}
        for key in keys or [self.random.choice(KEYS)]:
            rule = self._rule()
            uses = {each: segment_keys(one) for each, one in self._published().items()}
            try:
                evaluation_order(
                    {
                        **uses,
                        **{each: segment_keys(one) for each, one in made.items()},
                        key: segment_keys(rule),
                    }
                )
            except RuleError:
                continue
            if not scheduled(rule) and not (key == OUTSIDE and segment_keys(rule)):
                made[key] = rule
        with self.store.read() as cursor:
            shadows = make_shadow(cursor, made, self.standing.members, BUILT_IN, self.moment)
        if OUTSIDE in shadows:
            self._replace(shadows.pop(OUTSIDE).members)
        self.shadows |= shadows

    def _rule(self) -> Rule:
        """More often than by chance one whose answer depends on others' membership alone."""
        if self.random.random() < 0.3:
            relation, direction = self.random.choice(RELATIONS), self.random.choice(list(Direction))
            return Related(relation, self.random.choice(SEGMENTS), direction)
        return Rules(self.random).rule()

    def _published(self) -> dict[str, Rule]:
        return {**self.standing.rules, **{key: each.rule for key, each in self.shadows.items()}}

    def _replace(self, members: BitMap) -> None:
        """As a refresh on demand: present for the rules that refer to it from the next pass on."""
        before = self.standing.members.get(OUTSIDE, NOBODY)
        moved = self.standing.changed.get(OUTSIDE, NOBODY) | (before ^ members)
        self.standing = Standing(
            self.standing.seen,
            self.standing.rules,
            {**self.standing.members, OUTSIDE: members},
            {OUTSIDE: moved},
        )

    def archive(self) -> None:
        referred = set().union(*(segment_keys(rule) for rule in self._published().values()))
        for key in self.random.sample(sorted(self.standing.rules.keys()), len(self.standing.rules)):
            if key not in referred:
                self.shadows.pop(key, None)
                rules = {each: rule for each, rule in self.standing.rules.items() if each != key}
                members = {each: found for each, found in self.standing.members.items() if each != key}
                self.standing = Standing(self.standing.seen, rules, members, self.standing.changed)
                self.history.pop(key)
                return

    def restart(self) -> None:
        """Shadows and what is remembered of the agenda die with the process."""
        self.shadows.clear()
        self.agenda = Agenda(STREAM)

    def take(self) -> None:
        with self.store.read() as cursor:
            found = take_pass(cursor, self.standing, self.shadows, BUILT_IN, self.moment, self.agenda)
            if self.random.random() < 0.1:
                return  # killed before the commit
            rules = self._published()
            for key, members in found.members.items():
                before = self.standing.members.get(key, NOBODY)
                self.history.setdefault(key, []).append((members - before, before - members))
            members = {**self.standing.members, **found.members}
            self.standing = Standing(found.seen, rules, members)
            self.shadows = {}
            full = evaluate_rules(cursor, rules, members, BUILT_IN, self.moment, EVERYBODY)
        self.passes += 1
        for key, rule in rules.items():
            assert members[key] == full[key], f"{key}: {to_sql(rule)}"
            assert members[key] == _replayed(self.history[key]), key


def _replayed(changes: list[tuple[BitMap, BitMap]]) -> BitMap:
    members = BitMap()
    for joined, left in changes:
        assert members.isdisjoint(joined)
        assert left <= members
        members = (members | joined) - left
    return members


def live(store: Store, seed: int, steps: int) -> int:
    """Cases of one bank: in each new rules for all segments, and what happens while they decide."""
    random = Random(seed)
    with store.write() as cursor:
        for table in schema.FACTS:
            cursor.execute(f"DELETE FROM {table}")
        set_watermark(cursor, STREAM, 0)
    bank = LivingBank(random)
    engine = Engine(store, bank, random)
    bank.begin(16)
    bank.happen(30)
    engine.position = 1
    write(store, STREAM, bank.told, 1)
    doings = (engine.tell, bank.move, engine.take, engine.publish, engine.archive, engine.restart)
    for _ in range(CASES):
        engine.publish(KEYS)
        for _ in range(steps):
            random.choices(doings, [3, 5, 4, 1, 0.4, 0.6])[0]()
        engine.take()
    return engine.passes


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=200 // CASES, deadline=None)
def test_incremental_evaluation_equals_a_full_one(store: Store, seed: int) -> None:
    live(store, seed, steps=4)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=2_500 // CASES, deadline=None)
def test_incremental_evaluation_equals_a_full_one_in_many_lives(store: Store, seed: int) -> None:
    live(store, seed, steps=8)
