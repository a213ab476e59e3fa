"""Waybills: UPU S10, as DOMAIN facts and as properties."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postal_track import s10
from postal_track.errors import (
    BadWaybill,
    WaybillCheckDigit,
    WaybillLength,
    WaybillLetters,
)

numbers = st.integers(0, s10.LAST)


@pytest.mark.parametrize(
    ("serial", "digit"),
    [
        ("47312482", "9"),
        ("12345678", "5"),
        ("00000000", "5"),
        ("99999999", "5"),
        ("00000001", "4"),
        ("28704377", "5"),  # RR 2870 4377 5 IN, a registered letter from India
        ("00000008", "0"),  # a remainder of 1: 11 - 1 = 10, written 0
    ],
)
def test_the_check_digit_is_that_of_s10(serial: str, digit: str) -> None:
    assert s10.check_digit(serial) == digit


@pytest.mark.parametrize("serial", ["", "1234567", "123456789", "1234567a", "1234567²"])
def test_a_check_digit_is_worked_out_of_eight_digits_only(serial: str) -> None:
    with pytest.raises(ValueError, match="eight digits"):
        s10.check_digit(serial)


def test_a_waybill_is_written_out_in_full() -> None:
    assert s10.waybill(0) == "DH000000005VN"
    assert s10.waybill(12_345_678) == "DH123456785VN"
    assert s10.waybill(s10.LAST) == "DH999999995VN"


@pytest.mark.parametrize("number", [-1, s10.LAST + 1])
def test_a_number_beyond_eight_digits_has_no_waybill(number: int) -> None:
    with pytest.raises(ValueError, match="from 0 to 99999999"):
        s10.waybill(number)


@pytest.mark.parametrize(
    "text",
    [
        "DH123456785VN",
        "dh123456785vn",
        "  DH 1234 5678 5 VN ",
        "DH-12345678-5-VN",
        "DH 123 456 785 VN\r\n",
        "DH\u00a01234\u20115678\u20135 VN",  # what word processors make of it
        "\ufeffDH123456785VN\x00",
        "ＤＨ１２３４５６７８５ＶＮ",  # noqa: RUF001 (typed with a full-width input method)
    ],
)
def test_spaces_dashes_and_case_do_not_matter(text: str) -> None:
    assert s10.parse(text) == "DH123456785VN"


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("", WaybillLength, "0 characters"),
        ("DH1234567VN", WaybillLength, "11 characters"),
        ("DH1234567855VN", WaybillLength, "14 characters"),
        ("RR123456785VN", WaybillLetters, "start with DH"),
        ("DH123456785GB", WaybillLetters, "end with VN"),
        ("DH12345678OVN", WaybillLetters, "nine digits"),  # the letter O
        ("DH12345678²VN", WaybillCheckDigit, "not 2"),  # NFKC: a plain 2
        ("DH12345678\u0665VN", WaybillLetters, "nine digits"),  # an Arabic 5
        ("DH123456784VN", WaybillCheckDigit, "would be 5, not 4"),
        ("DH213456785VN", WaybillCheckDigit, "would be 3, not 5"),
    ],
)
def test_a_wrong_waybill_says_what_is_wrong(
    text: str, error: type[BadWaybill], says: str
) -> None:
    with pytest.raises(error, match=says) as refused:
        s10.parse(text)
    assert isinstance(refused.value, BadWaybill)
    assert isinstance(refused.value, ValueError)


def test_groups_make_a_waybill_readable() -> None:
    assert s10.spaced("DH123456785VN") == "DH 1234 5678 5 VN"


@given(numbers)
def test_every_waybill_is_read_back(number: int) -> None:
    waybill = s10.waybill(number)
    assert len(waybill) == s10.LENGTH
    assert int(waybill[2:10]) == number
    assert s10.parse(waybill) == waybill
    assert s10.parse(s10.spaced(waybill).lower()) == waybill


def read(text: str) -> str | None:
    try:
        return s10.parse(text)
    except BadWaybill:
        return None


@given(st.text(max_size=30) | st.from_regex(r"(?i)DH[0-9]{9}VN", fullmatch=True))
def test_any_text_is_either_refused_or_read_as_a_sound_waybill(text: str) -> None:
    found = read(text)
    assert found is None or found == s10.waybill(int(found[2:10]))


@given(numbers, st.integers(0, 6))
def test_two_neighbouring_digits_swapped_are_caught_unless_both_check_to_five(
    number: int, place: int
) -> None:
    """Swaps are caught unless the two remainders that share the digit 5 meet."""
    serial = f"{number:08}"
    left, right = serial[place], serial[place + 1]
    swapped = serial[:place] + right + left + serial[place + 2 :]
    if left != right and s10.check_digit(swapped) == s10.check_digit(serial):
        assert s10.check_digit(serial) == "5"


def test_about_one_slip_in_fifty_five_passes() -> None:
    """The known limit of S10: after a typed number something else must be shown."""
    dice = random.Random(10)  # noqa: S311
    slips = passed = 0
    for _ in range(1500):
        serial = f"{dice.randint(0, s10.LAST):08}"
        digit = s10.check_digit(serial)
        for place in range(8):
            for wrong in set("0123456789") - {serial[place]}:
                slips += 1
                slip = serial[:place] + wrong + serial[place + 1 :]
                passed += s10.check_digit(slip) == digit
    assert slips == 1500 * 8 * 9
    assert 0.016 < passed / slips < 0.020
