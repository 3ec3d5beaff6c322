"""What counts for the whole bank: elsewhere than at head office it cannot be pressed, and says why."""

from collections.abc import Iterator

import pytest
from nicegui import Client, ui
from nicegui.page import page

from services.console.api import Api
from services.console.i18n import Texts
from services.console.session import User
from services.console.view import View
from shared.auth import Role

REASON = Texts("en")("head_office.only")


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client(page("/"), request=None)
    with client:
        yield client
    client.delete()


def _view(org: str) -> View:
    user = User("token", "user:x", "X", frozenset({Role.strategist}), org, "S1")
    return View(Texts("en"), user, Api({}, "token"))


@pytest.mark.usefixtures("client")
def test_a_button_of_the_bank_is_head_offices_alone() -> None:
    mine, theirs = (_view(org).bank_wide(ui.button("Write")) for org in ("hq", "hq.sh"))
    assert (mine.enabled, mine.props.get("title")) == (True, None)
    assert (theirs.enabled, theirs.props["title"]) == (False, REASON)


def test_a_form_of_the_bank_gives_way_to_the_reason(client: Client) -> None:
    assert _view("hq").bank_wide_form() is True
    assert [each for each in client.elements.values() if isinstance(each, ui.html)] == []
    assert _view("hq.sh").bank_wide_form() is False
    assert [REASON in each.content for each in client.elements.values() if isinstance(each, ui.html)] == [
        True
    ]


def test_a_unit_covers_itself_and_what_lies_below() -> None:
    branch, head_office = (_view(org).user for org in ("hq.sh", "hq"))
    covered = [branch.covers(org) for org in ("hq.sh", "hq.sh.pudong", "hq.shx", "hq")]
    assert covered == [True, True, False, False]
    assert head_office.covers("hq.bj")
    assert (branch.at_head_office, head_office.at_head_office) == (False, True)
