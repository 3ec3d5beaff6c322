"""Checked trees compiled to one DuckDB query.

All leaves of all rules of a pass become columns of a few aggregations (holdings, holdings 90 days
ago and day by day, events, pairs of events, contributions, relations, the customer's row), each of
which reads its table once. Every constant and the evaluation time are bound parameters; the only
identifiers written are our own.
"""

import re
from collections.abc import Iterable, Mapping

from services.segmentation.domain.features import Catalogue, Source
from services.segmentation.domain.rules import blocks
from services.segmentation.domain.rules.operands import Operands
from services.segmentation.domain.rules.query import Moment, Parameter, Query
from services.segmentation.domain.rules.tree import (
    Again,
    All,
    AnyOf,
    EventValue,
    Function,
    HasProduct,
    InSegment,
    Leaf,
    MaturesWithin,
    Never,
    Not,
    Ranked,
    Related,
    Rule,
    Sequence,
    Stopped,
    Test,
    Unknown,
)

__all__ = ["Compiler", "Moment", "Query"]

_NARROWED = "ordinal IN (SELECT unnest($only::INTEGER[]))"
_SOURCES = (*(source for source in blocks.ROWS), Source.event)


class Compiler(Operands):
    """Builds one query. Add outputs, then `query`.

    `inline` names segments that are outputs of the same query, by key: a reference to one of
    them reads that output instead of stored members. They must have been added before.
    """

    def __init__(self, catalogue: Catalogue, moment: Moment) -> None:
        super().__init__(catalogue, moment)
        self._pairs: dict[tuple[str, str], dict[str, str]] = {}
        self._related: dict[Related, str] = {}
        self._references: dict[str, str] = {}
        self._members: set[str] = set()
        self._inline: dict[str, str] = {}
        self._looked_at: dict[str, str] = {}
        self._outputs: list[str] = []

    # ── outputs ──

    def add_rule(self, name: str, rule: Rule, *, segment: str | None = None) -> None:
        """A boolean column, null where unknown. `segment`: later rules may refer to it by this key."""
        self._outputs.append(f"({self.predicate(rule)}) AS {name}")
        if segment is not None:
            self._inline[segment] = name

    def add_feature(self, name: str, key: str, *, numeric: bool = False) -> None:
        value = self._once(self._feature(key))
        self._outputs.append(f"{value}::DOUBLE AS {name}" if numeric else f"{value} AS {name}")

    def add_value(self, name: str, leaf: Leaf) -> None:
        """What the leaf looks at: the compared value, or the condition itself."""
        sql = self._once(self._operand(leaf.operand)) if isinstance(leaf, Test) else self.predicate(leaf)
        self._outputs.append(f"({sql}) AS {name}")

    def query(self, *, only: Iterable[int] | None = None, org: str | None = None) -> Query:
        """`ordinal` and the outputs for every active customer; `only` these, or only below `org`.

        Who is merged into another is not asked: what is known of them is the survivor's.
        """
        restricted = only is not None
        if only is not None:
            self._parameters["only"] = list(only)
        conditions = ["c.status = 'active'", "c.merged_into IS NULL"]
        if restricted:
            conditions.append("c.ordinal IN (SELECT unnest($only::INTEGER[]))")
        if org is not None:
            self._parameters["org"] = org
            conditions.append("(c.org = $org OR starts_with(c.org, $org || '.'))")
        # A place among all customers needs the values of all of them.
        narrowed = _NARROWED if restricted and not self._places else None
        columns = ["c.ordinal AS ordinal", *(f"({sql}) AS {name}" for sql, name in self._looked_at.items())]
        sql = (
            f"{self._blocks(narrowed)}\n"
            f"SELECT {', '.join(['ordinal', *self._outputs])}\n"
            f"FROM (SELECT {', '.join(columns)}\n"
            f"FROM customer AS c{self._joined(self._joins())}\nWHERE {' AND '.join(conditions)})"
        )
        return Query(sql, self._bound(sql), dict(self._references))

    def events_behind(self, value: EventValue, ordinal: int) -> Query:
        """The condition on the rows of `event` that one customer's measure was made of."""
        sql = f"{self.event_filter(value)} AND time <= $t AND ordinal = {self._value(ordinal)}"
        return Query(sql, self._bound(sql), {})

    def _bound(self, sql: str) -> dict[str, Parameter]:
        clock: dict[str, Parameter] = {
            "t": self._moment.utc,
            "today": self._moment.today,
            "zone": str(self._moment.zone),
        }
        return self._parameters | {
            name: value for name, value in clock.items() if re.search(rf"\${name}\b", sql)
        }

    # ── sources ──

    def _blocks(self, narrowed: str | None) -> str:
        found = []
        for source in _SOURCES:
            if columns := self._columns[source]:
                rows = self._event_rows(narrowed) if source is Source.event else blocks.ROWS[source](narrowed)
                found.append(f"{source}_of AS ({_aggregated(columns, rows)})")
        for (first, then), columns in self._pairs.items():
            rows = blocks.event_pairs(self._value(first), self._value(then), narrowed)
            found.append(f"{self._pair_name(first, then)} AS ({_aggregated(columns, rows)})")
        for leaf, name in self._related.items():
            members = self._references[leaf.key]
            found.append(f"{name} AS ({blocks.related(self._value(leaf.relation), members, leaf.direction)})")
        if self._places:
            found += self._ranking()
        return f"WITH {', '.join(found)}" if found else ""

    def _ranking(self) -> list[str]:
        """The ranked features of every active customer, and then their places."""
        features = {place.feature: self._feature(place.feature) for place in self._places}
        values = ", ".join(f"({sql})::DOUBLE AS of_{key}" for key, sql in features.items())
        everybody = (
            f"SELECT c.ordinal AS ordinal, c.org AS org, {values} "  # noqa: S608 - ours
            f"FROM customer AS c{self._joined(self._block_names())} "
            "WHERE c.status = 'active' AND c.merged_into IS NULL"
        )
        places = ", ".join(f"{_place(place)} AS {name}" for place, name in self._places.items())
        return [f"valued AS ({everybody})", f"placed AS (SELECT ordinal, {places} FROM valued)"]  # noqa: S608 - ours

    def _event_rows(self, narrowed: str | None) -> str:
        types = ", ".join(self._value(name) for name in sorted(self._events.types))
        conditions = [f"type IN ({types})", "time <= $t"]
        if self._events.days is not None:
            conditions.append(f"time > $t - to_days({self._value(self._events.days)})")
        return f"event WHERE {' AND '.join([*conditions, *([narrowed] if narrowed else [])])}"

    def _block_names(self) -> list[str]:
        return [
            *(f"{source}_of" for source in _SOURCES if self._columns[source]),
            *(self._pair_name(*pair) for pair in self._pairs),
        ]

    def _joins(self) -> list[str]:
        return [
            *self._block_names(),
            *self._related.values(),
            *(["placed"] if self._places else []),
            *(name for key, name in self._references.items() if key in self._members),
        ]

    def _joined(self, names: Iterable[str]) -> str:
        return "".join(f" LEFT JOIN {name} ON {name}.ordinal = c.ordinal" for name in names)

    def _pair_name(self, first: str, then: str) -> str:
        return f"pair_{list(self._pairs).index((first, then))}"

    # ── logic ──

    def predicate(self, rule: Rule) -> str:
        match rule:
            case All(items) | AnyOf(items):
                word = " AND " if isinstance(rule, All) else " OR "
                return word.join(f"({self.predicate(item)})" for item in items)
            case Not(item):
                return f"NOT ({self.predicate(item)})"
            case Unknown(item):
                return f"({self.predicate(item)}) IS NULL"
            case Test(operand, op, values):
                looked_at = self._once(self._operand(operand))
                return self._compared(looked_at, op, self._constants(operand, values))
            case InSegment(key) if key in self._inline:
                return f"coalesce({self._inline[key]}, false)"
            case _:
                return self._once(self._condition(rule))

    def _once(self, sql: str) -> str:
        """The name of a column below the outputs: DuckDB repeats what stands in several conjunctions."""
        return self._looked_at.setdefault(sql, f"v{len(self._looked_at)}")

    def _condition(self, leaf: Function) -> str:  # noqa: PLR0911 - one form each
        match leaf:
            case Never(type_):
                return f"{self._extreme('max', type_)} IS NULL"
            case Stopped(type_, days):
                cutoff = f"$t - to_days({self._value(days)})"
                return f"coalesce({self._extreme('max', type_)} <= {cutoff}, false)"
            case Sequence(first, then, days, recent):
                return self._paired(first, then, f"time <= previous + to_days({self._value(days)})", recent)
            case Again(type_, gap, recent):
                return self._paired(type_, type_, f"time >= previous + to_days({self._value(gap)})", recent)
            case HasProduct(code):
                held = self._column(Source.holding, f"bool_or(product = {self._value(code)})")
                return f"coalesce({held}, false)"
            case MaturesWithin(days, after):
                low, high = (f"$today + {self._value(each)}::INTEGER" for each in (after, days))
                window = f"matures_on BETWEEN {low} AND {high}"
                return f"coalesce({self._column(Source.holding, f'bool_or({window})')}, false)"
            case InSegment(key):
                return self._membership(key)
            case Related():
                return self._relation(leaf)

    def _paired(self, first: str, then: str, condition: str, recent: int | None) -> str:
        if recent is not None:
            condition = f"{condition} AND time > $t - to_days({self._value(recent)})"
        columns = self._pairs.setdefault((first, then), {})
        column = columns.setdefault(f"bool_or({condition})", f"found_{len(columns)}")
        return f"coalesce({self._pair_name(first, then)}.{column}, false)"

    def _membership(self, key: str) -> str:
        self._members.add(key)
        return f"{self._reference(key)}.ordinal IS NOT NULL"

    def _relation(self, leaf: Related) -> str:
        """Others' membership decides: it must be settled before this query, see `references.stages`."""
        if leaf.key in self._inline:
            raise ValueError(f"the members of '{leaf.key}' are an output of the same query")
        self._reference(leaf.key)
        name = self._related.setdefault(leaf, f"related_{len(self._related)}")
        return f"{name}.ordinal IS NOT NULL"

    def _reference(self, key: str) -> str:
        return self._references.setdefault(key, f"members_{len(self._references)}")


def _aggregated(columns: Mapping[str, str], rows: str) -> str:
    listed = ", ".join(f"{sql} AS {name}" for sql, name in columns.items())
    return f"SELECT ordinal, {listed} FROM {rows} GROUP BY ordinal"  # noqa: S608 - ours


def _place(place: Ranked) -> str:
    """Of those whose value is known: a partition of their own keeps the others out."""
    value, scope = f"of_{place.feature}", blocks.SCOPES[place.scope]
    over = f"PARTITION BY {scope}, {value} IS NULL ORDER BY {value}"
    found = (
        f"100 * percent_rank() OVER ({over})" if place.by == "percentile" else f"rank() OVER ({over} DESC)"
    )
    return f"CASE WHEN {value} IS NOT NULL THEN {found} END"
