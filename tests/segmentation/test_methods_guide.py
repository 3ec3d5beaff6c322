"""The examples of docs/methods.md are run as they stand."""

import doctest
from pathlib import Path


def test_the_examples(repository: Path) -> None:
    found = doctest.testfile(
        str(repository / "docs" / "methods.md"),
        module_relative=False,
        optionflags=doctest.NORMALIZE_WHITESPACE,
    )
    assert found.attempted > 25
    assert found.failed == 0
