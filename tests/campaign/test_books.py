"""The books of a campaign are read as of one moment."""

from sqlalchemy import event

from services.campaign.domain.ledger import Books, imbalances
from services.campaign.queries.ledger import read_books
from services.campaign.usecases.withdrawal import withdraw_customer
from shared import clock
from shared.ids import new_id
from tests.campaign.desk import EVERYBODY, Desk, desk

__all__ = ["desk"]


async def _read(desk: Desk, campaign_id: object) -> tuple[Books, int]:
    """The books, and how many statements they took."""
    statements: list[str] = []
    async with desk.bank.campaign.runtime.db.transaction() as session:
        connection = (await session.connection()).sync_connection
        event.listen(connection, "before_cursor_execute", lambda *told: statements.append(told[2]))
        return await read_books(session, campaign_id), len(statements)  # type: ignore[arg-type]


async def test_contacts_that_are_closed_meanwhile_are_no_imbalance(desk: Desk) -> None:
    """Of two statements the second would see what was closed after the first."""
    campaign_id = await desk.bank.launched(scheme=EVERYBODY)
    before, statements = await _read(desk, campaign_id)
    assert statements == 1
    assert (before.audience, before.open_contacts, before.open_work) == (6, 6, 6)
    async with desk.bank.campaign.runtime.db.transaction() as session:
        gone = desk.people[0].customer_id
        assert await withdraw_customer(session, gone, at=clock.now(), by="system:test") == 1
    after, _ = await _read(desk, campaign_id)
    assert (after.audience, after.open_contacts, after.open_work) == (6, 5, 5)
    assert imbalances(after) == []


async def test_a_campaign_without_lines_has_empty_books(desk: Desk) -> None:
    books, _ = await _read(desk, new_id())
    assert (books.audience, books.open_work, books.journeys, imbalances(books)) == (0, 0, 0, [])
