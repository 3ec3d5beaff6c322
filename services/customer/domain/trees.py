"""Chains and trees out of edges. No I/O."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)


def is_circular(edges: Iterable[tuple[Node, Node]]) -> bool:
    """Whether some node can be reached from itself."""
    children: dict[Node, set[Node]] = {}
    waiting: dict[Node, int] = {}
    for above, below in edges:
        if below not in children.setdefault(above, set()):
            children[above].add(below)
            waiting[below] = waiting.get(below, 0) + 1
            waiting.setdefault(above, 0)
    free = [node for node, count in waiting.items() if count == 0]
    left = len(waiting)
    while free:
        left -= 1
        for below in children.get(free.pop(), ()):
            waiting[below] -= 1
            if waiting[below] == 0:
                free.append(below)
    return left > 0


def chains(
    befores: Mapping[Node, Sequence[Node]], start: Node, end: Node, limit: int
) -> tuple[list[list[Node]], bool]:
    """Every way from `start` to `end`, at most `limit`; whether there are more.

    `befores` names for each node those one step nearer to `start`.
    """
    found: list[list[Node]] = []
    open_ends: list[list[Node]] = [[end]]
    while open_ends:
        way = open_ends.pop()
        if way[-1] == start:
            if len(found) == limit:
                return found, True
            found.append(way[::-1])
            continue
        open_ends.extend([*way, before] for before in reversed(befores.get(way[-1], ())))
    return found, False
