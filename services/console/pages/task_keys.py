"""The workbench with the keyboard alone: a key for everything a manager does again and again."""

from collections.abc import Awaitable, Callable

from markupsafe import Markup
from nicegui import ui
from nicegui.events import KeyEventArguments

from services.console.i18n import Texts
from services.console.widgets.html import html

Act = Callable[[], Awaitable[None]]

HELP = (
    ("j k", "tasks.keys.walk"),
    ("d", "tasks.keys.panel"),
    ("a s", "tasks.keys.begin"),
    ("1–9", "tasks.keys.answer"),
    ("0", "tasks.keys.back"),
    ("r", "tasks.keys.record"),
    ("⇧1–9", "tasks.keys.disposition"),
    ("b", "tasks.keys.return"),
    ("Ctrl ⏎", "tasks.keys.save"),
    ("Esc", "tasks.keys.turn_back"),
)


class Keys:
    """What each key does, by its name; `⇧2` is the digit with shift. Nothing happens while what was begun
    before still runs, nor while a dialog asks.
    """

    def __init__(self) -> None:
        self.desk: dict[str, Act] = {}
        """Whatever is open."""
        self.task: dict[str, Act] = {}
        """Of the task that is open."""
        self.script: dict[str, Act] = {}
        """Of the step it has come to."""
        self._runs = False
        ui.keyboard(self._pressed, repeating=False, ignore=["input", "select", "textarea"])

    def forget_task(self) -> None:
        self.task, self.script = {}, {}

    async def _pressed(self, event: KeyEventArguments) -> None:
        modifiers = event.modifiers
        if not event.action.keydown or modifiers.ctrl or modifiers.alt or modifiers.meta:
            return
        name = str(event.key.name)
        digit = event.key.code.removeprefix("Digit")
        if modifiers.shift and digit.isdecimal():
            name = f"⇧{digit}"
        act = self.script.get(name) or self.task.get(name) or self.desk.get(name)
        if act is None or self._runs or _asked():
            return
        self._runs = True
        try:
            await act()
        finally:
            self._runs = False


def _asked() -> bool:
    """A dialog is open: what is pressed is meant for it."""
    elements = ui.context.client.elements.values()
    return any(isinstance(each, ui.dialog) and each.value for each in elements)


def draw_help(t: Texts) -> None:
    """One line that names them all."""
    words = Markup(" &ensp; ").join(Markup("<kbd>{}</kbd> {}").format(keys, t(text)) for keys, text in HELP)
    html(Markup('<p class="muted small keys">{}</p>').format(words))


def hint(button: ui.button, key: str) -> None:
    """Shows the key on the button, and says it to whoever does not see it."""
    spoken = f"Shift+{key[1:]}" if key.startswith("⇧") else key
    button.props(f'aria-keyshortcuts="{spoken}"')
    with button:
        html(Markup('<kbd aria-hidden="true">{}</kbd>').format(key), tag="span").style("margin-left: 8px")


def focus(element: ui.element) -> None:
    ui.run_javascript(f"document.getElementById('{element.html_id}')?.focus()")
