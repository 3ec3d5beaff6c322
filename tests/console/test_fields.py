"""What a service refuses is said at the field it means."""

from collections.abc import Iterator

import pytest
from nicegui import Client, ui
from nicegui.page import page

from services.console.i18n import Texts
from services.console.widgets.fields import Place, show_problems, text_field
from shared.contracts.base import ProblemItem


@pytest.fixture
def client() -> Iterator[None]:
    client = Client(page("/"), request=None)
    with client:
        yield
    client.delete()


@pytest.mark.usefixtures("client")
def test_each_problem_finds_its_field_or_what_holds_it() -> None:
    key, low = text_field("key", "Desk"), text_field("low", "9")
    chosen = ui.select({"a": "A"}, multiple=True, value=[])
    places: dict[str, Place] = {"/key": key, "/cutoffs": low, "/features": chosen}
    told = {"/key": "is taken", "/cutoffs/high": "is below", "/features": "too short", "/else": "is odd"}
    problems = [ProblemItem(pointer=pointer, detail=detail) for pointer, detail in told.items()]
    assert [each.pointer for each in show_problems(Texts("en"), places, problems)] == ["/else"]
    assert (key.error, low.error, chosen.error) == ("is taken", "is below", "must be filled in")
    assert show_problems(Texts("en"), places, problems[:1]) == []
    assert (key.error, low.error) == ("is taken", None)
