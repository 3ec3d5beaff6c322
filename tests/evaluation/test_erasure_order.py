"""The erased in a store that hears of them before the campaign, and in one that hears of them after it."""

from pathlib import Path

from services.evaluation.store import Store, open_store
from shared.ids import new_id
from tests.evaluation.test_merges import at, erased, merged, tables
from tests.evaluation.test_store import apply, assigned, store

__all__ = ["store"]


def test_what_is_left_of_the_erased_does_not_hang_on_which_stream_came_first(
    store: Store, tmp_path: Path
) -> None:
    """Two files of one person, in the campaign twice, with a third file that stays."""
    first, second, third = new_id(), new_id(), new_id()
    drawn = [assigned([first], "call"), at(assigned([second], None), 1), at(assigned([third], "call"), 2)]
    known = [merged(third, first, second), erased(first, second)]
    apply(store, "CAMPAIGN", *drawn)
    for fact in known:
        apply(store, "CUSTOMER", fact)
    other = open_store(tmp_path / "other.duckdb", memory="256MB", threads=1)
    try:
        apply(other, "CUSTOMER", *known)
        apply(other, "CAMPAIGN", *drawn)
        counted = [[row[-1] for row in tables(each)["exposure"]] for each in (store, other)]
        assert counted == [[True] * 3] * 2
        assert tables(store) == tables(other)
    finally:
        other.close()
