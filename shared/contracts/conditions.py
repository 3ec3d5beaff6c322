"""The JSON condition tree: the form of a rule that segment builders edit.

Exactly one form per object, recognised by its distinguishing field. Equivalent to the SQL
form: each is translated into the other. Logic is three-valued as in SQL: a comparison with
an unknown value is unknown, and a customer is a member only where the whole rule is true.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, StrictBool, StrictFloat, StrictInt, StrictStr, Tag

from shared.contracts.base import Schema

Scalar = StrictBool | StrictInt | Annotated[StrictFloat, Field(allow_inf_nan=False)] | StrictStr
Values = Annotated[list[Scalar], Field(min_length=1, max_length=500)]
Operator = Literal["eq", "ne", "gt", "gte", "lt", "lte", "between", "in", "is_null", "is_not_null"]
EventType = Annotated[str, Field(min_length=1, max_length=100, examples=["transaction.posted"])]
Days = Annotated[int, Field(ge=1, le=3660)]


class EventFilter(Schema):
    """A condition on one field of the event. Text and numbers compare with `=`; order needs numbers."""

    field: Annotated[str, Field(min_length=1, max_length=60, examples=["amount"])]
    op: Operator
    value: Scalar | Values | None = None


class _Comparison(Schema):
    op: Operator
    value: Scalar | Values | None = Field(
        None, description="One value; `between` takes two, `in` a list, `is_null`/`is_not_null` none"
    )


class FeatureCondition(_Comparison):
    feature: Annotated[str, Field(min_length=1, max_length=80, examples=["aum"])]


class EventCondition(Schema):
    """`count|sum|avg|min|max|distinct` over the events of a type in the last `within_days` days
    (sum and the like of a numeric `field`), the time of the `first|last` one, `never`, or
    `stopped`: happened before, but not in the last `within_days` days.
    """

    event: EventType
    measure: Literal["count", "sum", "avg", "min", "max", "distinct", "first", "last", "never", "stopped"]
    field: Annotated[str, Field(min_length=1, max_length=60)] | None = None
    within_days: Days | None = None
    where: Annotated[list[EventFilter], Field(max_length=10)] = Field(default_factory=list)
    op: Operator | None = None
    value: Scalar | Values | None = None


class SequenceCondition(Schema):
    """An event of the first type, and after it, at most `within_days` days later, one of the second.

    `recent_days`: only where the second is of the last so many days. The two may be of one type.
    """

    sequence: Annotated[list[EventType], Field(min_length=2, max_length=2)]
    within_days: Days
    recent_days: Days | None = None


class AgainCondition(Schema):
    """Happened, then for `gap_days` days or more not, then again (in the last `recent_days` days)."""

    again: EventType
    gap_days: Days
    recent_days: Days | None = None


class ProductCondition(Schema):
    """Holds the product (no `op`), or compares the balance held in it."""

    product: Annotated[str, Field(min_length=1, max_length=64, examples=["wealth-steady-R2"])]
    measure: Literal["has", "balance"] = "has"
    op: Operator | None = None
    value: Scalar | Values | None = None


class MaturityCondition(Schema):
    """Some holding matures within so many days from today, but not before `matures_after_days`."""

    matures_within_days: Days
    matures_after_days: Annotated[int, Field(ge=0, le=3660)] = 0


class SegmentCondition(Schema):
    segment: Annotated[str, Field(min_length=1, max_length=80, examples=["open-complaint"])]


class RelatedCondition(Schema):
    """Stands in the relation to some other customer who is a member of the segment.

    `out`: the customer stands in it (supplies a member). `in`: a member does (supplies the customer).
    A symmetric relation has no direction.
    """

    related: Annotated[str, Field(min_length=1, max_length=60, examples=["supplies"])]
    segment: Annotated[str, Field(min_length=1, max_length=80, examples=["core-enterprises"])]
    direction: Literal["out", "in", "both"] = "out"


Scope = Annotated[
    Literal["org", "tier1", "tier2", "bank"],
    Field(
        description="Compared with active customers of the same organisation unit, tier-1 or tier-2 branch, "
        "or of the whole bank"
    ),
]


class PercentileCondition(_Comparison):
    """100 x the share of the other customers of the scope who have less of a numeric feature: from 0 to 100.

    Only customers for whom the feature is known count; a customer alone has 0; equals have the same.
    """

    percentile: Annotated[str, Field(min_length=1, max_length=80, examples=["aum"])]
    scope: Scope = "org"


class RankCondition(_Comparison):
    """1 + how many customers of the scope have more of a numeric feature."""

    rank: Annotated[str, Field(min_length=1, max_length=80, examples=["aum"])]
    scope: Scope = "org"


class AllOf(Schema):
    all: Annotated[list["Condition"], Field(min_length=1, max_length=200)]


class AnyOf(Schema):
    any: Annotated[list["Condition"], Field(min_length=1, max_length=200)]


class NotOf(Schema):
    model_config = ConfigDict(serialize_by_alias=True)

    condition: "Condition" = Field(alias="not")


class UnknownOf(Schema):
    """True where the condition is neither true nor false, because something it needs is unknown."""

    unknown: "Condition"


_FORMS = {
    "all": "all",
    "any": "any",
    "not": "not",
    "unknown": "unknown",
    "feature": "feature",
    "event": "event",
    "sequence": "sequence",
    "again": "again",
    "product": "product",
    "matures_within_days": "matures",
    "percentile": "percentile",
    "rank": "rank",
    "related": "related",
    "segment": "segment",
}
_CLASSES = {
    "AllOf": "all",
    "AnyOf": "any",
    "NotOf": "not",
    "UnknownOf": "unknown",
    "FeatureCondition": "feature",
    "EventCondition": "event",
    "SequenceCondition": "sequence",
    "AgainCondition": "again",
    "ProductCondition": "product",
    "MaturityCondition": "matures",
    "PercentileCondition": "percentile",
    "RankCondition": "rank",
    "RelatedCondition": "related",
    "SegmentCondition": "segment",
}


def _form(value: Any) -> str | None:
    if isinstance(value, dict):
        return next((form for key, form in _FORMS.items() if key in value), None)
    return _CLASSES.get(type(value).__name__)


Condition = Annotated[
    Annotated[AllOf, Tag("all")]
    | Annotated[AnyOf, Tag("any")]
    | Annotated[NotOf, Tag("not")]
    | Annotated[UnknownOf, Tag("unknown")]
    | Annotated[FeatureCondition, Tag("feature")]
    | Annotated[EventCondition, Tag("event")]
    | Annotated[SequenceCondition, Tag("sequence")]
    | Annotated[AgainCondition, Tag("again")]
    | Annotated[ProductCondition, Tag("product")]
    | Annotated[MaturityCondition, Tag("matures")]
    | Annotated[PercentileCondition, Tag("percentile")]
    | Annotated[RankCondition, Tag("rank")]
    | Annotated[RelatedCondition, Tag("related")]
    | Annotated[SegmentCondition, Tag("segment")],
    Discriminator(
        _form,
        custom_error_type="condition",
        custom_error_message=f"is not a condition: needs one of {', '.join(repr(form) for form in _FORMS)}",
    ),
]

for _model in (AllOf, AnyOf, NotOf, UnknownOf):
    _model.model_rebuild()


class SqlDefinition(Schema):
    """A rule as an SQL boolean expression over the feature catalogue."""

    sql: str = Field(
        min_length=1,
        max_length=10_000,
        examples=["aum >= 500000 and count_events('transaction.posted', 30, amount >= 50000) >= 2"],
    )


def _definition_form(value: Any) -> str:
    is_sql = isinstance(value, SqlDefinition) or (isinstance(value, dict) and "sql" in value)
    return "sql" if is_sql else "tree"


SegmentDefinition = Annotated[
    Annotated[SqlDefinition, Tag("sql")] | Annotated[Condition, Tag("tree")],
    Discriminator(_definition_form),
]
