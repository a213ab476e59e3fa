"""In which order to go: properties of the way, and how good it is."""

from __future__ import annotations

import random
import time
from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postal_track.routing import Part, feasible, insert, length, nearest_first, route

Points = list[tuple[float, float]]


def table_of(points: Points) -> list[list[float]]:
    return [
        [((a - c) ** 2 + (b - d) ** 2) ** 0.5 for c, d in points] for a, b in points
    ]


@st.composite
def runs(draw: st.DrawFn, most: int = 12) -> tuple[list[list[float]], list[Part]]:
    number = draw(st.integers(1, most))
    # Whole kilometres, so that several stand at one place, as ward centres do.
    spot = st.tuples(st.integers(0, 8), st.integers(0, 8))
    points = draw(st.lists(spot, min_size=number, max_size=number))
    parts = draw(
        st.lists(st.sampled_from(list(Part)), min_size=number, max_size=number)
    )
    return table_of([(a * 1000.0, b * 1000.0) for a, b in points]), parts


@given(runs())
def test_every_stop_is_reached_once_and_the_morning_comes_first(
    run: tuple[list[list[float]], list[Part]],
) -> None:
    table, parts = run
    order = route(table, parts)
    assert sorted(order) == list(range(1, len(table)))
    assert feasible(order, parts)
    assert order == route(table, parts)


@given(runs())
def test_the_way_is_never_longer_than_going_to_the_nearest_each_time(
    run: tuple[list[list[float]], list[Part]],
) -> None:
    table, parts = run
    near = length(nearest_first(table, parts), table)
    assert length(route(table, parts), table) <= near + 1e-6


@given(runs(most=10), st.randoms(use_true_random=False))
def test_what_comes_later_leaves_the_order_of_the_others(
    run: tuple[list[list[float]], list[Part]], chance: random.Random
) -> None:
    table, parts = run
    points = list(range(1, len(table)))
    chance.shuffle(points)
    cut = chance.randint(0, len(points))
    known, new = [p for p in points if p <= cut], [p for p in points if p > cut]
    order = insert(known, new, table, parts)
    assert sorted(order) == sorted(points)
    assert [p for p in order if p in known] == known
    if feasible(known, parts):
        assert feasible(order, parts)


def test_it_finds_the_shortest_way_or_nearly() -> None:
    chance = random.Random(1975)  # noqa: S311 - a map
    ratios = []
    for _ in range(25):
        points = [(chance.uniform(0, 9e3), chance.uniform(0, 9e3)) for _ in range(8)]
        table, parts = table_of(points), [Part.ANY] * 8
        best = min(length(way, table) for way in permutations(range(1, 8)))
        ratios.append(length(route(table, parts), table) / best)
    assert sum(ratios) / len(ratios) < 1.02
    assert max(ratios) < 1.15


def test_a_long_run_is_ordered_while_one_looks() -> None:
    chance = random.Random(30_000)  # noqa: S311 - a map
    points = [(chance.uniform(0, 3e4), chance.uniform(0, 3e4)) for _ in range(61)]
    parts = [chance.choice(list(Part)) for _ in points]
    began = time.perf_counter()
    order = route(table_of(points), parts)
    assert len(order) == 60
    assert time.perf_counter() - began < 2  # tenths on a quiet machine


@pytest.mark.parametrize("early", [(1, 2), (2, 1)])
def test_of_two_at_one_door_the_one_who_is_there_in_the_morning_comes_first(
    early: tuple[int, int],
) -> None:
    first, second = early
    parts = [Part.ANY, Part.ANY, Part.ANY]
    parts[first], parts[second] = Part.MORNING, Part.AFTERNOON
    assert route([[0.0] * 3 for _ in range(3)], parts) == [first, second]


def test_of_all_halves_of_the_day_the_rule_is_one() -> None:
    for parts in product(Part, repeat=3):
        fine = not any(
            a is Part.AFTERNOON and b is Part.MORNING
            for a, b in ((parts[0], parts[1]), (parts[0], parts[2]), parts[1:])
        )
        assert feasible([1, 2, 3], [Part.ANY, *parts]) == fine
