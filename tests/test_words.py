"""Everything a page calls by name has that name in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import pytest

from postal_track.custody import Kind, Leg, PartyKind, Reason, Role, Stage, Step
from routes import words

TABLES: list[tuple[type[StrEnum], Mapping[Any, words.Pair]]] = [
    (Stage, words.STAGES),
    (Step, words.ACTS),
    (Step, words.DEEDS),
    (Reason, words.REASONS),
    (Kind, words.KINDS),
    (Role, words.ROLES),
    (Leg, words.LEGS),
    (PartyKind, words.PARTIES),
]


@pytest.mark.parametrize(("enum", "table"), TABLES)
def test_every_member_has_words_in_both_languages(
    enum: type[StrEnum], table: Mapping[Any, words.Pair]
) -> None:
    assert set(table) == set(enum)
    assert all(vietnamese and english for vietnamese, english in table.values())


@pytest.mark.parametrize(("enum", "table"), TABLES)
def test_no_two_members_go_by_the_same_words(
    enum: type[StrEnum], table: Mapping[Any, words.Pair]
) -> None:
    for language in (0, 1):
        said = [pair[language] for pair in table.values()]
        assert len(set(said)) == len(said)


def test_vietnamese_comes_first_and_is_what_is_not_english() -> None:
    assert words.stage(Stage.AT_OFFICE, "vi") == "Tại bưu cục"
    assert words.stage(Stage.AT_OFFICE, "en") == "At a post office"
    assert words.stage(Stage.AT_OFFICE, "fr") == "Tại bưu cục"


def test_a_step_is_one_thing_on_a_button_and_another_in_a_timeline() -> None:
    assert words.step(Step.ACCEPTED, "vi") == "Nhận từ người gửi"
    assert words.did(Step.ACCEPTED, "vi") == "đã nhận từ người gửi"


def test_what_is_wrong_is_said_in_whole_sentences() -> None:
    for pair in words.KINDS.values():
        assert all(text.endswith(".") and text[0].isupper() for text in pair)


def test_a_value_from_the_database_is_as_good_as_its_member() -> None:
    assert words.STAGES[Stage("delivered")] == words.STAGES[Stage.DELIVERED]
    assert words.reason(Reason.ABSENT, "en") == "Nobody there"
    assert words.role(Role.CLERK, "vi") == "Giao dịch viên"
    assert words.leg(Leg.RESULT, "vi") == "Kết quả trả về"
    assert words.kind(Kind.DAMAGED, "vi") == "Bưu gửi bị hư hỏng."
    assert words.party(PartyKind.OFFICE, "vi") == "Bưu cục"
