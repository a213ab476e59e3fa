"""In which order to go: the shortest way that anyone would have drawn by hand.

Nearest neighbour, then 2-opt and or-opt until nothing gets shorter. Mornings before
afternoons. Knows no map: points are numbers, distances a table in metres, and point 0
is where one starts. A run is open: where it ends does not matter.
"""

from collections.abc import Sequence
from enum import IntEnum

Table = Sequence[Sequence[float]]

_SHORTER = 1e-6  # metres; less is rounding


class Part(IntEnum):
    """In which part of the day somebody is there."""

    MORNING = 1
    ANY = 2
    AFTERNOON = 3


def length(order: Sequence[int], table: Table) -> float:
    """Measure a way from the start through these points."""
    ways = zip((0, *order), order, strict=False)
    return sum(table[a][b] for a, b in ways)


def feasible(order: Sequence[int], parts: Sequence[Part]) -> bool:
    """Whether nobody who is there in the morning comes after the afternoon's first."""
    afternoon = False
    for point in order:
        afternoon = afternoon or parts[point] is Part.AFTERNOON
        if afternoon and parts[point] is Part.MORNING:
            return False
    return True


def route(table: Table, parts: Sequence[Part]) -> list[int]:
    """Order the points 1 … n; ``parts[0]`` is of the start and means nothing.

    Deterministic. Never longer than going to the nearest each time.
    """
    return _better(nearest_first(table, parts), table, parts)


def nearest_first(table: Table, parts: Sequence[Part]) -> list[int]:
    """Go to the nearest each time, the morning's before the afternoon's."""
    left, order, here = set(range(1, len(table))), [], 0
    while left:
        early = any(parts[point] is Part.MORNING for point in left)
        open_ = [p for p in left if not (early and parts[p] is Part.AFTERNOON)]
        here = min(open_, key=lambda point: (table[here][point], point))
        order.append(here)
        left.remove(here)
    return order


def insert(
    order: Sequence[int], new: Sequence[int], table: Table, parts: Sequence[Part]
) -> list[int]:
    """Put new points where they lengthen the way least; the others keep their order."""
    grown = list(order)
    for point in new:
        ways = [[*grown[:at], point, *grown[at:]] for at in range(len(grown) + 1)]
        fit = [way for way in ways if feasible(way, parts)]
        # Someone chose an order that no longer fits the day: then the end will do.
        grown = min(fit, key=lambda way: length(way, table)) if fit else ways[-1]
    return grown


def _better(order: list[int], table: Table, parts: Sequence[Part]) -> list[int]:
    """Turn stretches round and move them until nothing gets shorter.

    By what a change saves, not by measuring each way anew: sixty stops take
    milliseconds so.
    """
    improved = True
    while improved:
        improved = _turn_round(order, table, parts) or _move(order, table, parts)
    return order


def _turn_round(order: list[int], table: Table, parts: Sequence[Part]) -> bool:
    """2-opt: take the first stretch that is better gone through backwards."""
    size = len(order)
    for first in range(size - 1):
        before = order[first - 1] if first else 0
        for last in range(first + 1, size):
            a, b = order[first], order[last]
            saved = table[before][a] - table[before][b]
            if last + 1 < size:
                after = order[last + 1]
                saved += table[b][after] - table[a][after]
            if saved > _SHORTER:
                turned = order[first : last + 1][::-1]
                way = [*order[:first], *turned, *order[last + 1 :]]
                if feasible(way, parts):
                    order[:] = way
                    return True
    return False


def _move(order: list[int], table: Table, parts: Sequence[Part]) -> bool:
    """Or-opt: take the first one, two or three that lie better elsewhere."""
    for size in (1, 2, 3):
        for first in range(len(order) - size + 1):
            taken, rest = order[first : first + size], order[:]
            del rest[first : first + size]
            spent = _detour(rest, first, taken, table)
            for at in range(len(rest) + 1):
                if spent - _detour(rest, at, taken, table) <= _SHORTER:
                    continue
                way = [*rest[:at], *taken, *rest[at:]]
                if feasible(way, parts):
                    order[:] = way
                    return True
    return False


def _detour(rest: list[int], at: int, taken: list[int], table: Table) -> float:
    """Measure what it costs to go through ``taken`` before the point at ``at``."""
    before = rest[at - 1] if at else 0
    there = table[before][taken[0]]
    if at == len(rest):
        return there
    return there + table[taken[-1]][rest[at]] - table[before][rest[at]]
