"""What customers did, by whom they were given to and by cell of case mix: reduced inside DuckDB.

Sums are of whole numbers – hundredths of an amount, millionths of a customer – so that the same facts give
the same digits in whatever order rows come.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from services.evaluation.domain.catalogue import COMPLAINTS, CONVERSION, NET_INFLOW
from services.evaluation.domain.indicators import WINDOW_DAYS
from services.evaluation.store.cells import TIERED
from services.evaluation.store.contacts import REACHED, RESPONDED, TOUCHED
from services.evaluation.store.outcomes import KNOWN, naive_utc, named
from services.evaluation.store.quantities import Value
from shared import clock
from shared.contracts.metrics import MetricCreate

SHARES = pa.schema(
    [
        ("customer_id", pa.string()),
        ("org", pa.string()),
        ("share", pa.decimal128(7, 6)),
        ("valid_from", pa.date32()),
        ("valid_to", pa.date32()),
    ]
)
"""Branches that share a customer, by day; of others the lead has everything."""
COLUMNS = (
    "net_inflow",
    "conversion",
    "contacted",
    "reached",
    "responded",
    "referred",
    "opportunity_won",
    "complaints",
)
_MONEY = frozenset({"net_inflow"})
_CUSTOMER = 1_000_000
_METRICS: Mapping[str, MetricCreate] = {
    "inflow": NET_INFLOW,
    "opened": CONVERSION,
    "complained": COMPLAINTS,
}


@dataclass(frozen=True)
class ScorecardQuestion:
    """Customers assigned from `first` to `last`, where the bank is, whose outcomes are known `until`."""

    level: Literal["branch", "staff"]
    depth: int
    first: date
    last: date
    until: datetime
    scope: str = "*"

    @property
    def subject(self) -> str:
        return "giver" if self.level == "staff" else self.branch("org")

    def branch(self, path: str) -> str:
        return f"array_to_string(string_split({path}, '.')[1:{int(self.depth) + 1}], '.')"

    def parameters(self) -> dict[str, object]:
        return {
            "first": self.first,
            "last": self.last,
            "until": naive_utc(self.until),
            "scope": self.scope,
            "zone": str(clock.ZONE),
            "reached": list(REACHED),
            "by_branch": self.level == "branch",
        }


@dataclass(frozen=True)
class Outcomes:
    """One column's outcomes by subject and cell, parallel arrays; cells count from 0."""

    subject: NDArray[np.object_]
    cell: NDArray[np.intp]
    customers: NDArray[np.float64]
    mean: NDArray[np.float64]
    m2: NDArray[np.float64]

    def taken(self, which: NDArray[np.bool_]) -> "Outcomes":
        return Outcomes(*(values[which] for values in self.arrays()))

    def arrays(self) -> tuple[NDArray[Any], ...]:
        return self.subject, self.cell, self.customers, self.mean, self.m2


@dataclass(frozen=True)
class BranchVolumes:
    """Counts of a branch in the period; amounts in CNY."""

    made: int = 0
    received: int = 0
    won: int = 0
    credit: Decimal = Decimal("0.00")
    opportunities: int = 0
    won_amount: Decimal = Decimal("0.00")


@dataclass(frozen=True)
class Given:
    """Everything a scorecard rests on. `effect` has treated and held out of each subject and cell."""

    outcomes: Mapping[str, Outcomes]
    treated: Outcomes
    held_out: Outcomes
    customers: Mapping[str, float]
    """By subject, of those whose outcome window has passed."""
    org: Mapping[str, str]
    """Of each subject: of a manager the branch of most of its customers."""
    volumes: Mapping[str, BranchVolumes]
    assigned: int
    """Customers assigned in the period."""
    matured: int
    """Of them, whose outcome window has passed."""
    shared: int
    """Of those, who counted for more than one branch."""


def given(cursor: duckdb.DuckDBPyConnection, question: ScorecardQuestion, shares: pa.Table) -> Given:
    """One consistent reading, on a cursor of its own. `shares` has the columns of `SHARES`."""
    cursor.register("branch_shares", shares)
    _keep_units(cursor, question)
    org, customers = _homes(cursor, question)
    assigned, matured, shared = _counts(cursor)
    return Given(
        outcomes=_outcomes(cursor, question),
        treated=_beside(cursor, question, treated=True),
        held_out=_beside(cursor, question, treated=False),
        customers=customers,
        org=org,
        volumes=_volumes(cursor, question) if question.level == "branch" else {},
        assigned=assigned,
        matured=matured,
        shared=shared,
    )


def _keep_units(cursor: duckdb.DuckDBPyConnection, question: ScorecardQuestion) -> None:
    """`scorecard_unit`: one row per customer, campaign and branch credited, for everybody of the period."""
    values = {name: Value(metric, f"v_{name}") for name, metric in _METRICS.items()}
    parameters = question.parameters()
    for value in values.values():
        parameters |= value.parameters
    parameters["types"] = sorted({each.type for m in _METRICS.values() for each in m.source.events})
    sql = (
        f"CREATE OR REPLACE TEMP TABLE scorecard_unit AS WITH {_known()}, {TIERED}, {_lived(values)} {_UNIT}"
    )
    cursor.execute(sql, named(sql, parameters))


def _known() -> str:
    return f"""
        dated AS (
            SELECT *, (assigned_at AT TIME ZONE 'UTC' AT TIME ZONE $zone)::DATE AS day
            FROM exposure WHERE {KNOWN}
        ),
        known AS (
            SELECT campaign_id, customer_id, coalesce(home, customer_id) AS own, arm <> '' AS treated,
                   segment, branch, coalesce(channel, '') AS channel, manager, primary_manager, day,
                   assigned_at, assigned_at + INTERVAL {WINDOW_DAYS} DAY AS ends_at
            FROM dated WHERE day BETWEEN $first AND $last
        )
    """  # noqa: S608 - constants


def _lived(values: Mapping[str, Value]) -> str:
    """What customers did, and what was done about them, between assignment and the end of the window."""
    inflow, opened, complained = (values[name] for name in ("inflow", "opened", "complained"))
    within = ">= u.assigned_at AND {time} < u.ends_at"
    return f"""
        outcome AS (
            SELECT u.campaign_id, u.customer_id, sum({inflow.minor}) AS inflow,
                   bool_or({opened.sql} IS NOT NULL) AS opened,
                   bool_or({complained.sql} IS NOT NULL) AS complained
            FROM event AS e JOIN known AS u USING (customer_id)
            WHERE list_contains($types, e.type) AND e.time {within.format(time="e.time")}
            GROUP BY ALL
        ),
        worked AS (
            SELECT u.campaign_id, u.customer_id, bool_or(list_contains($reached, c.disposition)) AS reached,
                   bool_or({RESPONDED}) AS responded
            FROM contact AS c JOIN known AS u USING (campaign_id, customer_id)
            WHERE {TOUCHED} AND c.recorded_at {within.format(time="c.recorded_at")}
            GROUP BY ALL
        ),
        referred AS (
            SELECT DISTINCT u.campaign_id, u.customer_id
            FROM referral AS r JOIN known AS u USING (customer_id)
            WHERE r.state = 'made' AND r.told_at {within.format(time="r.told_at")}
        ),
        sold AS (
            SELECT DISTINCT u.campaign_id, u.customer_id
            FROM opportunity AS p JOIN known AS u USING (customer_id)
            WHERE p.to_stage = 'won' AND p.told_at {within.format(time="p.told_at")}
        )
    """  # noqa: S608 - names come from contracts' literals, values are bound


_UNIT = f"""
    SELECT u.campaign_id, u.customer_id, u.treated, u.ends_at <= $until AS matured,
           dense_rank() OVER (ORDER BY u.campaign_id, u.segment, u.tier, u.channel) - 1 AS cell,
           dense_rank() OVER (ORDER BY u.campaign_id, u.segment, u.tier) - 1 AS block,
           coalesce(s.org, u.branch) AS org, coalesce(s.share * {_CUSTOMER}, {_CUSTOMER})::HUGEINT AS w,
           coalesce(u.manager, u.primary_manager) AS giver, u.primary_manager AS owner,
           coalesce(o.inflow, 0)::HUGEINT AS net_inflow,
           coalesce(o.opened, false)::HUGEINT AS conversion,
           (k.customer_id IS NOT NULL)::HUGEINT AS contacted,
           coalesce(k.reached, false)::HUGEINT AS reached,
           CASE WHEN k.reached THEN k.responded::HUGEINT END AS responded,
           (r.customer_id IS NOT NULL)::HUGEINT AS referred,
           (p.customer_id IS NOT NULL)::HUGEINT AS opportunity_won,
           coalesce(o.complained, false)::HUGEINT AS complaints
    FROM exposed AS u
    LEFT JOIN branch_shares AS s ON $by_branch AND s.customer_id = u.customer_id::VARCHAR
        AND s.valid_from <= u.day AND (s.valid_to IS NULL OR s.valid_to > u.day)
    LEFT JOIN outcome AS o ON o.campaign_id = u.campaign_id AND o.customer_id = u.customer_id
    LEFT JOIN worked AS k ON k.campaign_id = u.campaign_id AND k.customer_id = u.customer_id
    LEFT JOIN referred AS r ON r.campaign_id = u.campaign_id AND r.customer_id = u.customer_id
    LEFT JOIN sold AS p ON p.campaign_id = u.campaign_id AND p.customer_id = u.customer_id
    WHERE $scope = '*' OR coalesce(s.org, u.branch) = $scope
        OR starts_with(coalesce(s.org, u.branch), $scope || '.')
"""  # noqa: S608 - constants


def _homes(
    cursor: duckdb.DuckDBPyConnection, question: ScorecardQuestion
) -> tuple[dict[str, str], dict[str, float]]:
    rows = cursor.execute(
        f"""
        SELECT subject, first(org ORDER BY w DESC, org), sum(w)::DOUBLE / {_CUSTOMER}
        FROM (
            SELECT {question.subject} AS subject, org, sum(w) AS w FROM scorecard_unit
            WHERE treated AND matured GROUP BY ALL
        ) WHERE subject IS NOT NULL GROUP BY subject ORDER BY subject
        """  # noqa: S608 - our own names and numbers
    ).fetchall()
    whole = question.level == "branch"
    return {key: key if whole else org for key, org, _ in rows}, {key: n for key, _, n in rows}


def _counts(cursor: duckdb.DuckDBPyConnection) -> tuple[int, int, int]:
    rows = cursor.execute(
        """
        SELECT count(*), count(*) FILTER (matured), count(*) FILTER (matured AND parts > 1)
        FROM (
            SELECT campaign_id, customer_id, any_value(matured) AS matured, count(DISTINCT org) AS parts
            FROM scorecard_unit WHERE treated GROUP BY ALL
        )
        """
    ).fetchall()
    assigned, matured, shared = rows[0]
    return int(assigned), int(matured), int(shared)


def _outcomes(cursor: duckdb.DuckDBPyConnection, question: ScorecardQuestion) -> dict[str, Outcomes]:
    """Every column of the treated, in one scan; rows in the order of subjects and cells."""
    return {name: _reduced(cursor, question.subject, "cell", name, "treated AND matured") for name in COLUMNS}


def _beside(cursor: duckdb.DuckDBPyConnection, question: ScorecardQuestion, *, treated: bool) -> Outcomes:
    """Inflow of one side of the lot. A manager has both: customers whose primary manager they were."""
    subject = "owner" if question.level == "staff" else question.subject
    side = "treated" if treated else "NOT treated"
    return _reduced(cursor, subject, "block", "net_inflow", f"{side} AND matured")


def _reduced(cursor: duckdb.DuckDBPyConnection, subject: str, cell: str, column: str, where: str) -> Outcomes:
    """Centred on the cell's whole mean before squares are summed: exact up to the last division."""
    scale = 100 if column in _MONEY else 1
    relation = cursor.sql(
        f"""
        WITH chosen AS (
            SELECT {subject} AS subject, {cell} AS cell, w, {column} AS v FROM scorecard_unit
            WHERE {where} AND {subject} IS NOT NULL AND {column} IS NOT NULL
        ),
        centre AS (SELECT cell, (sum(v) // count(*))::HUGEINT AS c FROM chosen GROUP BY cell),
        summed AS (
            SELECT subject, cell, any_value(c) AS c, sum(w) AS sw, sum(w * (v - c)) AS swd,
                   sum(w * (v - c) * (v - c)) AS swdd
            FROM chosen JOIN centre USING (cell) GROUP BY subject, cell
        )
        SELECT subject, cell, sw::DOUBLE / {_CUSTOMER} AS customers,
               (c::DOUBLE + swd::DOUBLE / sw) / {scale} AS mean,
               greatest(swdd::DOUBLE - swd::DOUBLE * swd::DOUBLE / sw, 0) / {_CUSTOMER} / {scale**2} AS m2
        FROM summed ORDER BY subject, cell
        """  # noqa: S608 - our own names and numbers
    )
    found = relation.to_arrow_table()
    names = ("customers", "mean", "m2")
    return Outcomes(
        np.array(found["subject"].to_pylist(), dtype=np.object_),
        found["cell"].to_numpy().astype(np.intp),
        *(found[name].to_numpy().astype(np.float64) for name in names),
    )


def _volumes(cursor: duckdb.DuckDBPyConnection, question: ScorecardQuestion) -> dict[str, BranchVolumes]:
    """Referrals by the day they were made, and what was won in the period if it still is at its end."""
    sql = f"""
        WITH last_told AS (
            SELECT * FROM referral WHERE day <= $last
            QUALIFY row_number() OVER (PARTITION BY referral_id ORDER BY version DESC) = 1
        ),
        stands AS (
            SELECT * FROM opportunity WHERE day <= $last
            QUALIFY row_number() OVER (PARTITION BY opportunity_id ORDER BY version DESC) = 1
        ),
        act AS (
            SELECT from_org AS org, referral_id AS id, 'made' AS kind, 0::DECIMAL(20, 2) AS amount
            FROM referral WHERE state = 'made' AND day BETWEEN $first AND $last
            UNION ALL
            SELECT to_org, referral_id, 'received', 0 FROM referral
            WHERE state = 'made' AND day BETWEEN $first AND $last
            UNION ALL
            SELECT unnest([from_org, to_org]), referral_id, 'won',
                   unnest(CASE WHEN currency = 'CNY' THEN [referrer, receiver] ELSE [0.00, 0.00] END)
            FROM last_told WHERE state = 'won' AND day >= $first
            UNION ALL
            SELECT org, opportunity_id, 'sold', CASE WHEN currency = 'CNY' THEN won_amount END
            FROM stands WHERE to_stage = 'won' AND day >= $first
        )
        SELECT {question.branch("org")} AS subject,
               count(DISTINCT id) FILTER (kind = 'made'), count(DISTINCT id) FILTER (kind = 'received'),
               count(DISTINCT id) FILTER (kind = 'won'),
               coalesce(sum(amount) FILTER (kind = 'won'), 0)::DECIMAL(20, 2),
               count(DISTINCT id) FILTER (kind = 'sold'),
               coalesce(sum(amount) FILTER (kind = 'sold'), 0)::DECIMAL(20, 2)
        FROM act WHERE $scope = '*' OR org = $scope OR starts_with(org, $scope || '.')
        GROUP BY subject ORDER BY subject
    """  # noqa: S608 - our own names, values are bound
    rows = cursor.execute(sql, named(sql, question.parameters())).fetchall()
    return {subject: BranchVolumes(*counts) for subject, *counts in rows}
