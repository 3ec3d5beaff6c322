"""The rows that aggregations read, by source. `narrowed` restricts them to some ordinals."""

from collections.abc import Callable

from services.segmentation.domain.features import Source
from services.segmentation.domain.rules.tree import Direction, Scope

_ACTIVE_RELATION = (
    "(valid_from IS NULL OR valid_from <= $today) AND (valid_until IS NULL OR valid_until > $today)"
)
SCOPES = {
    Scope.org: "org",
    Scope.tier1: "array_to_string(string_split(org, '.')[1:2], '.')",
    Scope.tier2: "array_to_string(string_split(org, '.')[1:3], '.')",
    Scope.bank: "true",
}
"""What customers of one scope have in common, over the customer's row."""


def _and(narrowed: str | None) -> str:
    return f" AND {narrowed}" if narrowed else ""


def _holding_rows(narrowed: str | None) -> str:
    return f"holding_latest WHERE NOT closed{_and(narrowed)}"


def _past_rows(narrowed: str | None) -> str:
    """The state of every account at the end of the day 90 days ago."""
    return (
        "(SELECT any_value(ordinal) AS ordinal, arg_max(category, as_of) AS category, "  # noqa: S608 - ours
        "arg_max(balance, as_of) AS balance FROM holding WHERE as_of <= $today - 90"
        f"{_and(narrowed)} GROUP BY home, account HAVING NOT arg_max(closed, as_of))"
    )


def _day_rows(narrowed: str | None) -> str:
    """The states of every account with their days: from `since` to the day before `until`.

    Of what was before the last 90 days, the longest that a mean looks back, only the last state is kept.
    """
    before = (
        "SELECT any_value(ordinal) AS ordinal, home, account, arg_max(category, as_of) AS category, "  # noqa: S608 - ours
        "arg_max(balance, as_of) AS balance, arg_max(closed, as_of) AS closed, max(as_of) AS as_of "
        f"FROM holding WHERE as_of <= $today - 90{_and(narrowed)} GROUP BY home, account"
    )
    within = (
        "SELECT ordinal, home, account, category, balance, closed, as_of "  # noqa: S608 - ours
        f"FROM holding WHERE as_of BETWEEN $today - 89 AND $today{_and(narrowed)}"
    )
    return (
        "(SELECT ordinal, category, CASE WHEN closed THEN 0 ELSE balance END AS balance, as_of AS since, "  # noqa: S608 - ours
        "lead(as_of, 1, $today + 1) OVER (PARTITION BY home, account ORDER BY as_of) AS until "
        f"FROM ({before} UNION ALL {within}))"
    )


def _value_rows(narrowed: str | None) -> str:
    """The months of the model that the customer's newest month is of; `newest` is that month."""
    return (
        "(SELECT *, first_value(model) OVER newest_first AS current, "  # noqa: S608 - ours
        "first_value(month) OVER newest_first AS newest FROM value "
        f"WHERE true{_and(narrowed)} "
        "WINDOW newest_first AS (PARTITION BY ordinal ORDER BY month DESC, model) "
        "QUALIFY model = current)"
    )


def _relation_rows(narrowed: str | None) -> str:
    """Relations that hold today, from both ends; what a merge made a relation to oneself is none."""
    return (
        "(SELECT ordinal_from AS ordinal, ordinal_to AS other FROM relation "  # noqa: S608 - ours
        f"WHERE {_ACTIVE_RELATION} AND ordinal_from <> ordinal_to UNION ALL "
        "SELECT ordinal_to, ordinal_from FROM relation "
        f"WHERE {_ACTIVE_RELATION} AND ordinal_from <> ordinal_to) WHERE true{_and(narrowed)}"
    )


ROWS: dict[Source, Callable[[str | None], str]] = {
    Source.holding: _holding_rows,
    Source.past: _past_rows,
    Source.day: _day_rows,
    Source.value: _value_rows,
    Source.relation: _relation_rows,
}


def event_pairs(first: str, then: str, narrowed: str | None) -> str:
    """Each event of type `then` with the time of the last event of type `first` strictly before it."""

    def events(type_: str) -> str:
        return f"(SELECT ordinal, time FROM event WHERE type = {type_} AND time <= $t{_and(narrowed)})"  # noqa: S608 - ours

    return (
        "(SELECT later.ordinal, later.time, earlier.time AS previous "  # noqa: S608 - ours
        f"FROM {events(then)} AS later ASOF JOIN {events(first)} AS earlier "
        "ON later.ordinal = earlier.ordinal AND later.time > earlier.time)"
    )


def related(relation: str, members: str, direction: Direction) -> str:
    """Who stands in the relation to one of `members`, a table of ordinals."""

    def end(mine: str, other: str) -> str:
        return (
            f"SELECT {mine} AS ordinal FROM relation "  # noqa: S608 - ours
            f"SEMI JOIN {members} ON relation.{other} = {members}.ordinal "
            f"WHERE type = {relation} AND {_ACTIVE_RELATION} AND ordinal_from <> ordinal_to"
        )

    forward, backward = end("ordinal_from", "ordinal_to"), end("ordinal_to", "ordinal_from")
    match direction:
        case Direction.out:
            ends = [forward, f"{backward} AND mutual"]
        case Direction.in_:
            ends = [f"{forward} AND mutual", backward]
        case Direction.both:
            ends = [forward, backward]
    return f"SELECT DISTINCT ordinal FROM ({' UNION ALL '.join(ends)})"  # noqa: S608 - ours
