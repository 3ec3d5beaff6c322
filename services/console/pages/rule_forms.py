"""The forms of one condition in the rule builder: what kinds there are and what each asks for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from nicegui import ui

from services.console.i18n import Texts
from services.console.widgets.fields import listed
from shared.contracts.customer.relations import RelationKind
from shared.contracts.segmentation import FeatureType, FeatureView

Node = dict[str, Any]
Changed = Callable[[], None]

EVENT_TYPES = (
    *("transaction.posted", "card.spent", "salary.received", "login", "channel.visited"),
    *("interaction.recorded", "complaint.filed", "complaint.resolved", "loan.overdue"),
    *("product.opened", "product.closed", "product.matured", "product.renewed", "risk.assessed"),
)
MEASURES = ("count", "sum", "avg", "min", "max", "distinct", "first", "last", "never", "stopped")
KINDS = (
    *("feature", "event", "sequence", "again", "product", "matures_within_days", "segment", "related"),
    *("percentile", "rank"),
)
_ORDERED = ("gte", "gt", "lte", "lt", "eq", "ne", "between", "in", "is_null", "is_not_null")
_PLAIN = ("eq", "ne", "in", "is_null", "is_not_null")
_FLAGS = ("eq", "ne", "is_null", "is_not_null")
_BY_TYPE = {FeatureType.text: _PLAIN, FeatureType.boolean: _FLAGS}
_NUMBERS = (FeatureType.number, FeatureType.integer, FeatureType.money)
_NO_VALUE = ("is_null", "is_not_null")
_FRESH: dict[str, Node] = {
    "feature": {"feature": "aum", "op": "gte", "value": 500000},
    "event": {"event": "transaction.posted", "measure": "count", "within_days": 30, "op": "gte", "value": 1},
    "sequence": {"sequence": ["login", "transaction.posted"], "within_days": 7},
    "again": {"again": "login", "gap_days": 30},
    "product": {"product": "", "measure": "has"},
    "matures_within_days": {"matures_within_days": 30, "matures_after_days": 0},
    "segment": {"segment": ""},
    "related": {"related": "supplies", "segment": "", "direction": "out"},
    "percentile": {"percentile": "aum", "scope": "org", "op": "gte", "value": 90},
    "rank": {"rank": "aum", "scope": "org", "op": "lte", "value": 10},
}


_SCOPES = ("org", "tier1", "tier2", "bank")
_DIRECTIONS = ("out", "in", "both")


@dataclass(frozen=True)
class Vocabulary:
    """What conditions may be about: features by key, keys of segments."""

    features: Mapping[str, FeatureView]
    segments: Sequence[str]


def fresh(kind: str) -> Node:
    """A new condition of this kind, with values to change."""
    return {key: list(value) if isinstance(value, list) else value for key, value in _FRESH[kind].items()}


def kind_of(node: Node) -> str:
    """`related` and `segment` share a field: the more special one comes first."""
    kinds = ("related", *(kind for kind in KINDS if kind != "related"))
    return next(kind for kind in kinds if kind in node)


class LeafForm:
    """Inputs for one condition, written back into its node. `redraw`: other inputs are needed now."""

    def __init__(self, t: Texts, words: Vocabulary, node: Node, changed: Changed, redraw: Changed) -> None:
        self._t = t
        self._words = words
        self._node = node
        self._changed = changed
        self._redraw = redraw

    def build(self) -> None:
        t = self._t
        match kind_of(self._node):
            case "feature":
                self._feature("feature", self._words.features)
                self._comparison(self._words.features[self._node["feature"]].type)
            case "percentile" | "rank" as kind:
                numbers = {key: one for key, one in self._words.features.items() if one.type in _NUMBERS}
                self._feature(kind, numbers)
                self._choice("scope", {each: t.word("scope", each) for each in _SCOPES})
                self._comparison(FeatureType.number)
            case "event":
                self._event()
            case "sequence":
                self._pair()
                self._days("within_days")
                self._days("recent_days", optional=True)
            case "again":
                self._event_type("again")
                self._days("gap_days")
                self._days("recent_days", optional=True)
            case "product":
                self._product()
            case "matures_within_days":
                self._days("matures_after_days")
                self._days("matures_within_days")
            case "related":
                self._choice("related", {each: t.word("related", each) for each in get_args(RelationKind)})
                self._choice("direction", {each: t.word("direction", each) for each in _DIRECTIONS})
                self._segment()
            case _:
                self._segment()

    # ── what it is about ──

    def _feature(self, field: str, features: Mapping[str, FeatureView]) -> None:
        names = {key: f"{self._t.local(one.name)} · {key}" for key, one in features.items()}
        names.setdefault(self._node[field], self._node[field])

        def chosen(key: str) -> None:
            self._node.update({field: key})
            if field == "feature":
                self._node.update(_first_value(self._words.features[key].type))
            self._redraw()

        picker = ui.select(names, value=self._node[field], with_input=True)
        self._shape(picker, "builder.feature", 300).on_value_change(lambda event: chosen(event.value))

    def _event(self) -> None:
        measure = self._node["measure"]
        self._event_type("event")
        self._choice("measure", {each: self._t.word("measure", each) for each in MEASURES}, redraw=True)
        if measure in {"sum", "avg", "min", "max", "distinct"}:
            self._text("field", "amount")
        if measure not in {"first", "last", "never"}:
            self._days("within_days")
        if measure in {"never", "stopped"}:
            return
        self._comparison(FeatureType.date if measure in {"first", "last"} else FeatureType.number)

    def _pair(self) -> None:
        for place in (0, 1):
            self._typed(self._node["sequence"], place, f"builder.sequence.{place}")

    def _event_type(self, field: str) -> None:
        self._typed(self._node, field, "builder.event")

    def _typed(self, holder: Any, field: str | int, label: str) -> None:
        names = [*EVENT_TYPES, *([holder[field]] if holder[field] not in EVENT_TYPES else [])]

        def chosen(value: str | None) -> None:
            holder[field] = value or ""
            self._changed()

        picker = ui.select(names, value=holder[field], with_input=True, new_value_mode="add-unique")
        self._shape(picker, label, 210).on_value_change(lambda event: chosen(event.value))

    def _product(self) -> None:
        self._text("product")
        shown = {each: self._t.word("measure", each) for each in ("has", "balance")}
        self._choice("measure", shown, redraw=True)
        if self._node["measure"] == "balance":
            self._comparison(FeatureType.money)

    def _segment(self) -> None:
        key = self._node["segment"]
        names = [*self._words.segments, *([key] if key not in self._words.segments else [])]
        picker = ui.select(names, value=key, with_input=True)
        self._shape(picker, "builder.segment", 260).on_value_change(
            lambda event: self._put("segment", event.value or "")
        )

    # ── with what it is compared ──

    def _comparison(self, kind: FeatureType) -> None:
        ops = _BY_TYPE.get(kind, _ORDERED)
        op = self._node.get("op")

        def chosen(op: str) -> None:
            self._node["op"] = op
            _fit_value(self._node)
            self._redraw()

        picker = ui.select(
            {name: self._t.word("op", name) for name in ops}, value=op if op in ops else ops[0]
        )
        self._shape(picker, "builder.op", 120).on_value_change(lambda event: chosen(event.value))
        if op in _NO_VALUE:
            return
        if op == "in":
            self._list(kind)
        elif op == "between":
            for place in (0, 1):
                self._value(self._node["value"], place, kind)
        else:
            self._value(self._node, "value", kind)

    def _value(self, holder: Any, place: str | int, kind: FeatureType) -> None:
        def put(value: object) -> None:
            holder[place] = value
            self._changed()

        value = holder[place]
        if kind is FeatureType.boolean:
            words = {True: self._t("builder.yes"), False: self._t("builder.no")}
            self._shape(ui.select(words, value=bool(value)), "builder.value", 90).on_value_change(
                lambda event: put(event.value)
            )
        elif kind in _NUMBERS:
            number = value if isinstance(value, int | float) else None
            self._shape(ui.number(value=number), "builder.value", 140).on_value_change(
                lambda event: put(_number(event.value))
            )
        else:
            field = ui.input(value=str(value or ""))
            if kind is FeatureType.date:
                field.props("type=date")
            self._shape(field, "builder.value", 160).on_value_change(lambda event: put(event.value or ""))

    def _list(self, kind: FeatureType) -> None:
        def put(text: str) -> None:
            parts = listed(text)
            self._node["value"] = [_number(part) if kind in _NUMBERS else part for part in parts]
            self._changed()

        given = ", ".join(str(each) for each in self._node["value"])
        self._shape(ui.input(value=given), "builder.values", 220).on_value_change(
            lambda event: put(str(event.value or ""))
        )

    # ── plain inputs ──

    def _choice(self, field: str, options: dict[str, str], *, redraw: bool = False) -> None:
        def chosen(value: str) -> None:
            self._node[field] = value
            if redraw:
                _fit_measure(self._node)
                self._redraw()
            else:
                self._changed()

        picker = ui.select(options, value=self._node[field])
        self._shape(picker, f"builder.{field}", 150).on_value_change(lambda event: chosen(event.value))

    def _days(self, field: str, *, optional: bool = False) -> None:
        def put(value: float | None) -> None:
            if value is None and optional:
                self._node.pop(field, None)
                self._changed()
            else:
                self._put(field, _number(value))

        number = ui.number(value=self._node.get(field), min=0, max=3660, precision=0)
        self._shape(number, f"builder.{field}", 120).on_value_change(lambda event: put(event.value))

    def _text(self, field: str, default: str = "") -> None:
        self._node.setdefault(field, default)
        entry = ui.input(value=self._node[field]).props("spellcheck=false")
        self._shape(entry, f"builder.{field}", 170).on_value_change(
            lambda event: self._put(field, event.value or "")
        )

    def _put(self, field: str, value: object) -> None:
        self._node[field] = value
        self._changed()

    def _shape(self, element: Any, label: str, width: int) -> Any:
        element.props(f'outlined dense options-dense label="{self._t(label)}"')
        return element.style(f"width: {width}px")


def _number(value: object) -> object:
    """Whole numbers without a fraction; what is none stays, so that the service says what is wrong."""
    try:
        number = float(str(value))
    except ValueError:
        return value
    return int(number) if number.is_integer() else number


def _first_value(kind: FeatureType) -> Node:
    match kind:
        case FeatureType.boolean:
            return {"op": "eq", "value": True}
        case FeatureType.text:
            return {"op": "eq", "value": ""}
        case FeatureType.date:
            return {"op": "gte", "value": ""}
        case _:
            return {"op": "gte", "value": 0}


def _fit_value(node: Node) -> None:
    """As many values as the operator takes."""
    value = node.get("value")
    first = value[0] if isinstance(value, list) and value else value
    first = 0 if first is None or isinstance(first, list) else first
    match node["op"]:
        case "is_null" | "is_not_null":
            node["value"] = None
        case "between":
            node["value"] = [first, first]
        case "in":
            node["value"] = [first]
        case _:
            node["value"] = first


def _fit_measure(node: Node) -> None:
    """Only the fields that the measure has."""
    measure = node["measure"]
    for field in ("field", "within_days", "op", "value"):
        node.pop(field, None)
    if measure in {"sum", "avg", "min", "max", "distinct"}:
        node["field"] = "amount"
    if "event" in node and measure not in {"first", "last", "never"}:
        node["within_days"] = 30
    if measure in {"first", "last"}:
        node.update({"op": "gte", "value": ""})
    elif measure not in {"never", "stopped", "has"}:
        node.update({"op": "gte", "value": 1})
    if measure in {"first", "last", "never", "stopped"}:
        node.pop("where", None)
