"""Tabs whose content is fetched when somebody first looks at it."""

from collections.abc import Callable, Mapping

from nicegui import ui


def lazy_tabs(panels: Mapping[str, tuple[str, Callable[[], object]]]) -> None:
    """`panels`: name → (label, what builds it). The first is built at once, another when it is opened."""
    first = next(iter(panels))
    built: set[str] = set()
    places: dict[str, ui.tab_panel] = {}

    def build(name: str) -> None:
        # The tabs tell of their first value before the panels are there.
        if name in places and name not in built:
            built.add(name)
            with places[name]:
                panels[name][1]()

    tabs = ui.tabs(on_change=lambda event: build(str(event.value))).classes("tabs")
    with tabs.props("no-caps dense align=left"):
        for name, (label, _) in panels.items():
            ui.tab(name, label=label)
    # Not kept alive: a chart that is resized while it is hidden fails on its empty size.
    with ui.tab_panels(tabs, value=first, animated=False, keep_alive=False).classes("tab-panels"):
        for name in panels:
            places[name] = ui.tab_panel(name)
    build(first)
