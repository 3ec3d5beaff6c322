"""One pass over the feature store: who is touched, and of which segments they are members now.

Everything here is a function of the store's moment, the time and what the last pass left. Full and
incremental evaluation are one: a full pass touches everybody.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

import duckdb
import numpy as np
from pyroaring import BitMap

from services.segmentation.domain.features import Catalogue
from services.segmentation.domain.rules.plan import Plan, Stage, plan_of
from services.segmentation.domain.rules.query import Moment
from services.segmentation.domain.rules.tree import Rule, segment_keys
from services.segmentation.store import reading, touched
from services.segmentation.store.agenda import Agenda
from services.segmentation.store.bitmaps import from_mask, to_array
from services.segmentation.store.dated import turned
from services.segmentation.store.store import position
from services.segmentation.usecases.feed import STREAM

_WORTH_IT = 0.5
"""Of all customers; above it, looking at everybody costs less than looking for the touched."""
NOBODY = BitMap()


@dataclass(frozen=True)
class Seen:
    """What an earlier pass saw: the customer stream up to a position, the clock at a time."""

    applied: int
    at: datetime


@dataclass(frozen=True)
class Shadow:
    """A new version evaluated for everybody beside the one that decides, until a pass takes it over."""

    rule: Rule
    members: BitMap
    seen: Seen
    leant_on: Mapping[str, BitMap]
    """Members of the segments it refers to, as they were taken."""
    catalogue: Catalogue


@dataclass(frozen=True)
class Standing:
    """What the last pass left.

    `rules`: those evaluated in every pass. `members`: theirs as stored, and present ones of all segments
    that rules refer to. `changed`: of segments that passes do not evaluate, who joined or left since.
    """

    seen: Seen | None
    rules: Mapping[str, Rule] = field(default_factory=dict)
    members: Mapping[str, BitMap] = field(default_factory=dict)
    changed: Mapping[str, BitMap] = field(default_factory=dict)


@dataclass(frozen=True)
class Touched:
    """Whom the time since the last pass may have changed, by why; everybody if `everybody`."""

    everybody: bool = False
    regrouped: BitMap = NOBODY
    facts: BitMap = NOBODY
    own: BitMap = NOBODY
    expired: BitMap = NOBODY

    @property
    def ordinals(self) -> BitMap:
        return BitMap.union(self.regrouped, self.facts, self.own, self.expired)


EVERYBODY = Touched(everybody=True)


def read_touched(
    cursor: duckdb.DuckDBPyConnection, plan: Plan, seen: Seen | None, moment: Moment, agenda: Agenda
) -> Touched:
    """Whom the rules need be asked about at `moment`, if they were last asked at `seen`."""
    if seen is None or moment.at < seen.at:
        return EVERYBODY
    told = touched.since(cursor, seen.applied)
    if told is None:
        return EVERYBODY
    before = Moment(seen.at, moment.zone)
    expired = agenda.due(cursor, plan.windows, before.utc, moment.utc)
    if before.today != moment.today:
        expired |= turned(cursor, plan.dates, str(moment.zone), before.today, moment.today)
    found = Touched(False, told.regrouped, told.facts, told.own, expired)
    if len(found.ordinals) > _WORTH_IT * reading.highest_ordinal(cursor):
        return Touched(True, found.regrouped, found.facts, found.own, found.expired)
    return found


@dataclass(frozen=True)
class Pass:
    """What a pass found: members by segment key after it, and who was looked at."""

    seen: Seen
    members: Mapping[str, BitMap]
    touched: Touched


def take_pass(
    cursor: duckdb.DuckDBPyConnection,
    standing: Standing,
    shadows: Mapping[str, Shadow],
    catalogue: Catalogue,
    moment: Moment,
    agenda: Agenda,
) -> Pass:
    """Bring all rules from where they stand, and the shadows from where they were made, to `moment`."""
    rules = {**standing.rules, **{key: shadow.rule for key, shadow in shadows.items()}}
    start = {**standing.members, **{key: shadow.members for key, shadow in shadows.items()}}
    stands = [standing.seen] if standing.rules else []
    seen = _earliest([*stands, *(shadow.seen for shadow in shadows.values())])
    who = read_touched(cursor, plan_of(rules, catalogue, moment.zone), seen, moment, agenda)
    changed = _changed(standing, shadows, start)
    members = evaluate_rules(cursor, rules, start, catalogue, moment, who, changed)
    return Pass(Seen(position(cursor, STREAM) or 0, moment.at), members, who)


def make_shadow(
    cursor: duckdb.DuckDBPyConnection,
    rules: Mapping[str, Rule],
    members: Mapping[str, BitMap],
    catalogue: Catalogue,
    moment: Moment,
) -> dict[str, Shadow]:
    """These rules evaluated for everybody; `members`: present ones of other segments they refer to."""
    found = evaluate_rules(cursor, rules, members, catalogue, moment, EVERYBODY)
    seen = Seen(position(cursor, STREAM) or 0, moment.at)
    known = {**members, **found}
    return {
        key: Shadow(
            rule,
            found[key],
            seen,
            {each: known.get(each, NOBODY) for each in segment_keys(rule)},
            catalogue,
        )
        for key, rule in rules.items()
    }


def _earliest(seen: Sequence[Seen | None]) -> Seen | None:
    known = [each for each in seen if each is not None]
    if not known or len(known) < len(seen):
        return None
    return Seen(min(each.applied for each in known), min(each.at for each in known))


def _changed(
    standing: Standing, shadows: Mapping[str, Shadow], start: Mapping[str, BitMap]
) -> dict[str, BitMap]:
    """By segment, whose membership is not what rules that refer to it last took it for."""
    changed = {key: BitMap(moved) for key, moved in standing.changed.items()}
    for key, shadow in shadows.items():
        taken = {key: standing.members.get(key, NOBODY), **shadow.leant_on}
        for each, members in taken.items():
            changed[each] = changed.get(each, NOBODY) | (members ^ start.get(each, NOBODY))
    return changed


def evaluate_rules(
    cursor: duckdb.DuckDBPyConnection,
    rules: Mapping[str, Rule],
    start: Mapping[str, BitMap],
    catalogue: Catalogue,
    moment: Moment,
    who: Touched,
    changed: Mapping[str, BitMap] = MappingProxyType({}),
) -> dict[str, BitMap]:
    """Members by key of `rules`: the answers of those touched put into `start`, which is also asked for
    segments that the rules refer to. Whom membership in one decides about in another is touched, too.
    """
    plan = plan_of(rules, catalogue, moment.zone)
    members = dict(start)
    ordinals = None if who.everybody else who.ordinals | _affected(cursor, plan, changed)
    for stage in plan.stages:
        members |= _asked(cursor, stage, members, moment, ordinals)
        if ordinals is not None:
            moved = {key: members[key] ^ start.get(key, NOBODY) for key in stage.rules}
            ordinals |= _affected(cursor, plan, moved)
    return {key: members[key] for key in rules}


def _asked(
    cursor: duckdb.DuckDBPyConnection,
    stage: Stage,
    members: Mapping[str, BitMap],
    moment: Moment,
    ordinals: BitMap | None,
) -> dict[str, BitMap]:
    before = {key: members.get(key, NOBODY) for key in stage.rules}
    if ordinals is not None and not ordinals:
        return before
    query = stage.query(moment, None if ordinals is None else to_array(ordinals).tolist())
    columns = reading.columns(cursor, query, lambda key: members.get(key, NOBODY))
    rows = np.asarray(columns["ordinal"]).astype(np.uint32)
    holding = {key: reading.holds(columns[f"s{number}"]) for number, key in enumerate(stage.rules)}
    if ordinals is None:
        size = reading.highest_ordinal(cursor) + 1
        return {key: from_mask(rows, mask, size) for key, mask in holding.items()}
    return {key: (before[key] - ordinals) | BitMap(rows[mask]) for key, mask in holding.items()}


def _affected(cursor: duckdb.DuckDBPyConnection, plan: Plan, changed: Mapping[str, BitMap]) -> BitMap:
    """Whom a change of membership may change in segments that refer to it: the same, and their relations."""
    news = {key: moved for key, moved in changed.items() if moved}
    members = set().union(*plan.uses.values()) & news.keys()
    others = set().union(*plan.related.values()) & news.keys()
    found = BitMap.union(NOBODY, *(news[key] for key in members))
    return found | touched.neighbours(cursor, BitMap.union(NOBODY, *(news[key] for key in others)))
