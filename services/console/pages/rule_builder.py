"""The rule builder: a condition tree as nested boxes, edited in place."""

from collections.abc import Callable
from functools import partial
from typing import Any

from markupsafe import Markup
from nicegui import ui

from services.console.i18n import Texts
from services.console.pages.rule_forms import KINDS, LeafForm, Node, Vocabulary, fresh, kind_of
from services.console.widgets.html import html

_GROUPS = ("all", "any")
_WRAPPERS = ("not", "unknown")
_FILTER_OPS = ("eq", "ne", "gt", "gte", "lt", "lte", "is_null", "is_not_null")


class RuleBuilder:
    """`tree` is always a group; `changed` is called after every edit.

    Notes (a count, a problem) are put beside the condition that a JSON pointer names.
    """

    def __init__(self, t: Texts, words: Vocabulary, tree: Node, changed: Callable[[], None]) -> None:
        self._t = t
        self._words = words
        self._changed = changed
        self.tree = _grouped(tree)
        self._box = ui.element("div").props(f'role="group" aria-label="{t("builder.title")}"')
        self._notes: dict[str, ui.html] = {}
        self._draw()

    def show(self, tree: Node) -> None:
        """Another tree, from the SQL view."""
        self.tree = _grouped(tree)
        self._draw()

    # ── notes ──

    def clear_notes(self) -> None:
        for note in self._notes.values():
            note.set_content("")

    def count(self, passing: list[int]) -> None:
        """How many customers pass each condition, in reading order; none where some are alike."""
        leaves = [path for path, node in _paths(self.tree, "/definition") if _is_leaf(node)]
        if len(leaves) == len(passing):
            for path, number in zip(leaves, passing, strict=True):
                note = Markup('<span class="tag">{}</span>').format(f"{number:,}")
                self._notes[path].set_content(str(note))

    def problem(self, pointer: str, detail: str) -> bool:
        """At the innermost condition that holds the place; `False` if there is none."""
        found = [path for path in self._notes if pointer == path or pointer.startswith(f"{path}/")]
        if not found:
            return False
        note = Markup('<span class="tag bad" role="alert">{}</span>').format(detail)
        self._notes[max(found, key=len)].set_content(str(note))
        return True

    # ── drawing ──

    def _draw(self) -> None:
        self._box.clear()
        self._notes = {}
        with self._box:
            self._group(self.tree, "/definition", None)

    def _edited(self) -> None:
        self._draw()
        self._changed()

    def _node(self, node: Node, path: str, replace: Callable[[Node | None], None]) -> None:
        wrapper = next((name for name in _WRAPPERS if name in node), None)
        if wrapper:
            self._wrapped(node, wrapper, path, replace)
        elif _is_leaf(node):
            self._leaf(node, path, replace)
        else:
            self._group(node, path, replace)

    def _wrapped(self, node: Node, wrapper: str, path: str, replace: Callable[[Node | None], None]) -> None:
        with ui.element("div").classes(f"rule-box rule-{wrapper}"):
            with ui.element("div").classes("rule-row"):
                html(Markup('<span class="tag warn">{}</span>').format(self._t(f"builder.{wrapper}")))
                self._notes[path] = html(Markup())
                self._button("builder.unwrap", lambda: replace(node[wrapper]))

            def inner(other: Node | None) -> None:
                replace(None if other is None else {wrapper: other})

            self._node(node[wrapper], f"{path}/{wrapper}", inner)

    def _group(self, node: Node, path: str, replace: Callable[[Node | None], None] | None) -> None:
        mode = next(name for name in _GROUPS if name in node)
        items: list[Node] = node[mode]

        def switch(other: str) -> None:
            node[other] = node.pop(mode)
            self._edited()

        with ui.element("div").classes("rule-box"):
            with ui.element("div").classes("rule-row"):
                names = {name: self._t(f"builder.{name}") for name in _GROUPS}
                picker = ui.select(names, value=mode).props("outlined dense options-dense")
                picker.props(f'aria-label="{self._t("builder.mode")}"').style("width: 170px")
                picker.on_value_change(lambda event: switch(event.value))
                self._notes[path] = html(Markup())
                self._adders(items)
                if replace is not None:
                    self._wrap_buttons(node, replace)
                    self._button("builder.remove", lambda: replace(None))
            for number, item in enumerate(items):
                self._node(item, f"{path}/{mode}/{number}", self._replacer(items, number))

    def _adders(self, items: list[Node]) -> None:
        def add(node: Node) -> None:
            items.append(node)
            self._edited()

        with ui.button(self._t("builder.add")).props("outline no-caps dense").classes("rule-add"), ui.menu():
            for kind in KINDS:
                ui.menu_item(self._t(f"builder.kind.{kind}"), lambda kind=kind: add(fresh(kind)))
        self._button("builder.add_group", lambda: add({"any": [fresh("feature")]}))

    def _replacer(self, items: list[Node], number: int) -> Callable[[Node | None], None]:
        def replace(other: Node | None) -> None:
            items[number : number + 1] = [] if other is None else [other]
            self._edited()

        return replace

    def _leaf(self, node: Node, path: str, replace: Callable[[Node | None], None]) -> None:
        kinds = {kind: self._t(f"builder.kind.{kind}") for kind in KINDS}
        with ui.element("div").classes("rule-leaf"):
            with ui.element("div").classes("rule-row"):
                picker = ui.select(kinds, value=kind_of(node)).props("outlined dense options-dense")
                picker.props(f'label="{self._t("builder.kind")}"').style("width: 150px")
                picker.on_value_change(lambda event: replace(fresh(event.value)))
                LeafForm(self._t, self._words, node, self._changed, self._edited).build()
                self._notes[path] = html(Markup())
                self._wrap_buttons(node, replace)
                self._button("builder.remove", lambda: replace(None))
            if node.get("measure") in {"count", "sum", "avg", "min", "max", "distinct"} and "event" in node:
                self._filters(node.setdefault("where", []))

    def _filters(self, where: list[Node]) -> None:
        """Which of the events count."""

        def add() -> None:
            where.append({"field": "amount", "op": "gte", "value": 1000})
            self._edited()

        for number, each in enumerate(where):
            with ui.element("div").classes("rule-row rule-filter"):
                self._filter(where, number, each)
        with ui.element("div").classes("rule-row rule-filter"):
            self._button("builder.add_filter", add)

    def _filter(self, where: list[Node], number: int, each: Node) -> None:
        def put(name: str, value: Any) -> None:
            each[name] = value
            if name == "op":
                each["value"] = None if value in {"is_null", "is_not_null"} else each.get("value") or 0
            self._changed()

        def remove() -> None:
            where.pop(number)
            self._edited()

        shape = "outlined dense options-dense"
        field = ui.input(value=each["field"]).props(f'{shape} label="{self._t("builder.field")}"')
        field.on_value_change(lambda event: put("field", event.value or ""))
        names = {name: self._t.word("op", name) for name in _FILTER_OPS}
        op = each["op"] if each["op"] in names else None
        ui.select(names, value=op).props(f'{shape} label="{self._t("builder.op")}"').style(
            "width: 120px"
        ).on_value_change(lambda event: put("op", event.value))
        given = each.get("value")
        value = ui.input(value="" if given is None else str(given))
        value.props(f'{shape} label="{self._t("builder.value")}"')
        value.on_value_change(lambda event: put("value", _typed(str(event.value or ""))))
        self._button("builder.remove", remove)

    def _wrap_buttons(self, node: Node, replace: Callable[[Node | None], None]) -> None:
        for wrapper in _WRAPPERS:
            self._button(f"builder.{wrapper}", partial(replace, {wrapper: node}))

    def _button(self, label: str, action: Callable[[], object]) -> None:
        ui.button(self._t(label), on_click=action).props("flat no-caps dense size=sm")


def _grouped(tree: Node) -> Node:
    return tree if any(name in tree for name in _GROUPS) else {"all": [tree]}


def _is_leaf(node: Node) -> bool:
    return not any(name in node for name in (*_GROUPS, *_WRAPPERS))


def _paths(node: Node, path: str) -> list[tuple[str, Node]]:
    """Every node with its JSON pointer, in reading order."""
    found = [(path, node)]
    for mode in _GROUPS:
        for number, item in enumerate(node.get(mode, ())):
            found += _paths(item, f"{path}/{mode}/{number}")
    for wrapper in _WRAPPERS:
        if wrapper in node:
            found += _paths(node[wrapper], f"{path}/{wrapper}")
    return found


def _typed(text: str) -> object:
    """A number where it looks like one, as text and numbers are compared differently."""
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() else number
