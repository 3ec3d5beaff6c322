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


class ProductCondition(Schema):
    """Holds the product (no `op`), or compares the balance held in it."""

    product: Annotated[str, Field(min_length=1, max_length=64, examples=["wealth-steady-R2"])]
    measure: Literal["has", "balance"] = "has"
    op: Operator | None = None
    value: Scalar | Values | None = None


class MaturityCondition(Schema):
    """Some holding matures within so many days from the business date."""

    matures_within_days: Days


class SegmentCondition(Schema):
    segment: Annotated[str, Field(min_length=1, max_length=80, examples=["open-complaint"])]


class AllOf(Schema):
    all: Annotated[list["Condition"], Field(min_length=1, max_length=200)]


class AnyOf(Schema):
    any: Annotated[list["Condition"], Field(min_length=1, max_length=200)]


class NotOf(Schema):
    model_config = ConfigDict(serialize_by_alias=True)

    condition: "Condition" = Field(alias="not")


_FORMS = {
    "all": "all",
    "any": "any",
    "not": "not",
    "feature": "feature",
    "event": "event",
    "product": "product",
    "matures_within_days": "matures",
    "segment": "segment",
}
_CLASSES = {
    "AllOf": "all",
    "AnyOf": "any",
    "NotOf": "not",
    "FeatureCondition": "feature",
    "EventCondition": "event",
    "ProductCondition": "product",
    "MaturityCondition": "matures",
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
    | Annotated[FeatureCondition, Tag("feature")]
    | Annotated[EventCondition, Tag("event")]
    | Annotated[ProductCondition, Tag("product")]
    | Annotated[MaturityCondition, Tag("matures")]
    | Annotated[SegmentCondition, Tag("segment")],
    Discriminator(
        _form,
        custom_error_type="condition",
        custom_error_message="is not a condition: needs one of 'all', 'any', 'not', 'feature', 'event', "
        "'product', 'matures_within_days', 'segment'",
    ),
]

for _model in (AllOf, AnyOf, NotOf):
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
