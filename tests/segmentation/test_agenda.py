"""Who is due when: remembered for a minute, asked again when what was told since may be due in it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import duckdb
import pytest
from pyroaring import BitMap

from services.segmentation.store.agenda import Agenda
from services.segmentation.store.store import Store, set_watermark
from services.segmentation.usecases.feed import STREAM, write
from shared.contracts.events import CustomerEventsRecorded, EventData
from tests.segmentation.merge_world import World
from tests.segmentation.rules_random import NOW, Event

AGES = {"login": {0, 3}}
T = NOW.astimezone(UTC).replace(tzinfo=None)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "agenda.duckdb", threads=1)
    with opened.write() as cursor:
        set_watermark(cursor, STREAM, 0)
    yield opened
    opened.close()


@pytest.fixture
def world() -> World:
    made = World(Random(1))
    made.start(3)
    return made


def _login(world: World, home: int, time: datetime) -> EventData:
    world.told.append(CustomerEventsRecorded(events=[world._event(home, Event("login", time, {}))]))
    return world.told[-1]


def _due(store: Store, agenda: Agenda, start: float, end: float) -> BitMap:
    with store.read() as cursor:
        return agenda.due(cursor, AGES, T + timedelta(seconds=start), T + timedelta(seconds=end))


def test_an_age_is_reached_once_at_its_instant(store: Store, world: World) -> None:
    write(store, STREAM, [_login(world, 1, NOW - timedelta(days=3) + timedelta(seconds=5))], 1)
    agenda = Agenda(STREAM)
    assert _due(store, agenda, 0, 4.999999) == BitMap()
    assert _due(store, agenda, 4.999999, 5) == BitMap([1])
    assert _due(store, agenda, 5, 30) == BitMap()
    assert agenda.quiet(T + timedelta(seconds=5), T + timedelta(seconds=30))
    assert not agenda.quiet(T, T + timedelta(seconds=30))
    assert not agenda.quiet(T + timedelta(seconds=5), T + timedelta(hours=1))


def test_a_question_that_failed_leaves_what_was_known(store: Store, world: World) -> None:
    write(store, STREAM, [_login(world, 1, NOW - timedelta(days=3) + timedelta(seconds=5))], 1)
    agenda = Agenda(STREAM)
    assert _due(store, agenda, 0, 1) == BitMap()
    with store.read() as cursor:
        cursor.close()
        with pytest.raises(duckdb.Error):
            agenda.due(cursor, AGES, T + timedelta(hours=1), T + timedelta(hours=2))
    assert _due(store, agenda, 1, 30) == BitMap([1])


@pytest.mark.parametrize("time", [NOW - timedelta(days=3) + timedelta(seconds=9), NOW + timedelta(seconds=9)])
def test_what_is_told_late_or_ahead_of_time_is_due_in_the_remembered_minute(
    store: Store, world: World, time: datetime
) -> None:
    agenda = Agenda(STREAM)
    assert _due(store, agenda, 0, 1) == BitMap()
    write(store, STREAM, [_login(world, 2, time)], 1)
    assert _due(store, agenda, 1, 5) == BitMap()
    assert _due(store, agenda, 5, 9) == BitMap([2])


def test_events_of_now_leave_the_agenda_alone(store: Store, world: World) -> None:
    agenda = Agenda(STREAM)
    _due(store, agenda, 0, 1)
    remembered = agenda._due
    write(store, STREAM, [_login(world, 2, NOW)], 1)
    _due(store, agenda, 1, 2)
    assert agenda._due is remembered


def test_a_merge_moves_who_is_due(store: Store, world: World) -> None:
    write(store, STREAM, [*world.told, _login(world, 1, NOW - timedelta(days=3) + timedelta(seconds=9))], 1)
    agenda = Agenda(STREAM)
    _due(store, agenda, 0, 1)
    while world.into.get(1) is None:
        world.merge()
    write(store, STREAM, world.told, 2)
    assert _due(store, agenda, 1, 9) == BitMap([world.into[1]])
