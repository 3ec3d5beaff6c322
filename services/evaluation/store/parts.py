"""A campaign's exposures a part at a time: what is gathered at once does not grow with their number."""

from dataclasses import dataclass

import duckdb

from services.evaluation.store.outcomes import IN_SCOPE, KNOWN, Question, named

AT_ONCE = 100_000
"""Exposures of one part, about."""
_CELL = "arm, segment, branch, primary_manager"


@dataclass(frozen=True)
class Part:
    """One of `of` parts of the exposures, told by a hash: about equally many in each.

    A cell lies wholly in one part; with `splits` it may lie in several, and every customer in one.
    """

    number: int = 0
    of: int = 1
    splits: bool = False

    @property
    def exposures(self) -> str:
        """A further condition on rows of `exposure`, beginning with AND; empty where there is one part."""
        return self._is("customer_id" if self.splits else _CELL)

    def facts(self, customer: str) -> str:
        """The same of the customer in a column, as far as it spares joining what became of others."""
        return self._is(customer) if self.splits else ""

    def _is(self, columns: str) -> str:
        return f" AND hash({columns}) % {self.of} = {self.number}" if self.of > 1 else ""


WHOLE = Part()


def parts_of(cursor: duckdb.DuckDBPyConnection, question: Question) -> list[Part]:
    """As many as the campaign's exposures need, at least one; cells are split where one is too large."""
    sql = f"""
        SELECT coalesce(sum(n), 0), coalesce(max(n), 0) FROM (
            SELECT count(*) AS n FROM exposure WHERE campaign_id = $campaign AND {KNOWN} AND {IN_SCOPE}
            GROUP BY {_CELL}
        )"""  # noqa: S608 - constants
    exposures, largest = cursor.execute(sql, named(sql, question.parameters())).fetchall()[0]
    number = max(-(-int(exposures) // AT_ONCE), 1)
    return [Part(i, number, splits=largest > AT_ONCE) for i in range(number)]
