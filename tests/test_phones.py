"""Phone numbers in every way Vietnamese people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postal_track.errors import BadPhone, ForeignPhone, PhoneWithLetters
from postal_track.phones import PREFIXES_OF_2018, Phone, last4, mask, normalise


@pytest.mark.parametrize(
    "text",
    [
        "0912345678",
        "0912 345 678",
        "0912.345.678",
        "0912-345-678",
        "09 12 34 56 78",
        "(0912) 345 678",
        "84912345678",
        "84 912 345 678",
        "+84912345678",
        "+84 912 345 678",
        "+84 (0) 912 345 678",
        "+84 0912 345 678",
        "0084 912345678",
        "912345678",  # a spreadsheet took the zero away
        "  0912345678\t\r\n",
        "0912\u00a0345\u00a0678",
        "0912\u2013345\u2011678",
        "\u202a+84912345678\u202c",  # copied from a chat
        "０９１２３４５６７８",  # noqa: RUF001 (typed with a full-width input method)
    ],
)
def test_one_number_in_many_writings(text: str) -> None:
    assert normalise(text) == Phone("+84912345678", sms_capable=True)


@pytest.mark.parametrize(
    ("text", "e164"),
    [
        ("0324567890", "+84324567890"),  # Viettel
        ("0967654321", "+84967654321"),
        ("0703456789", "+84703456789"),  # MobiFone
        ("0896123456", "+84896123456"),
        ("0833456789", "+84833456789"),  # VinaPhone
        ("0841234567", "+84841234567"),  # its prefix looks like the country's code
        ("841234567", "+84841234567"),
        ("84841234567", "+84841234567"),
        ("0562345678", "+84562345678"),  # Vietnamobile
        ("0592345678", "+84592345678"),  # Gmobile
        ("0871234567", "+84871234567"),  # Itel
        ("0559123456", "+84559123456"),  # Wintel
    ],
)
def test_every_operator_is_known(text: str, e164: str) -> None:
    assert normalise(text) == Phone(e164, sms_capable=True)


@pytest.mark.parametrize(("before", "after"), PREFIXES_OF_2018.items())
@pytest.mark.parametrize("lead", ["0", "84", "+84", "+84 0", ""])
def test_a_number_of_before_2018_gets_its_prefix_of_today(
    lead: str, before: str, after: str
) -> None:
    assert normalise(f"{lead}{before} 234 5678") == Phone(f"+84{after}2345678", True)


def test_the_table_of_2018_is_complete() -> None:
    assert len(PREFIXES_OF_2018) == 21
    assert len(set(PREFIXES_OF_2018.values())) == 21


@pytest.mark.parametrize(
    ("text", "e164"),
    [
        ("0296 3841 234", "+842963841234"),  # An Giang
        ("(0297) 3862 345", "+842973862345"),  # Kiên Giang
        ("84 296 3841234", "+842963841234"),
        ("024 3825 1234", "+842438251234"),  # Hà Nội
    ],
)
def test_a_landline_is_known_and_gets_no_sms(text: str, e164: str) -> None:
    assert normalise(text) == Phone(e164, sms_capable=False)


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("", BadPhone, "not a Vietnamese phone number"),
        ("   ", BadPhone, "not a Vietnamese phone number"),
        ("+", BadPhone, "not a Vietnamese phone number"),
        ("0", BadPhone, "not a Vietnamese phone number"),
        ("113", BadPhone, "not a Vietnamese phone number"),
        ("091234567", BadPhone, "not a Vietnamese phone number"),
        ("09123456789", BadPhone, "not a Vietnamese phone number"),
        ("0123456789", BadPhone, "not a Vietnamese phone number"),
        ("0111 234 5678", BadPhone, "not a Vietnamese phone number"),
        ("0000000000", BadPhone, "not a Vietnamese phone number"),
        ("0912345678 / 0987654321", BadPhone, "not a Vietnamese phone number"),
        ("9" * 500, BadPhone, "not a Vietnamese phone number"),
        ("19001260", BadPhone, "not a Vietnamese phone number"),
        ("1800 1090", BadPhone, "not a Vietnamese phone number"),
        ("069 123456", BadPhone, "not a Vietnamese phone number"),
        ("phone", PhoneWithLetters, "digits only"),
        ("0912ABCDEF", PhoneWithLetters, "digits only"),
        ("0912 345 67B", PhoneWithLetters, "digits only"),
        ("O912345678", PhoneWithLetters, "digits only"),
        ("0912345678 (Zalo)", PhoneWithLetters, "digits only"),
        ("09123456٧٨", PhoneWithLetters, "digits only"),  # noqa: RUF001 (Arabic)
        ("0912345678;ext=5", PhoneWithLetters, "digits only"),
        ("09+12345678", PhoneWithLetters, "digits only"),
        ("+855 12 345 678", ForeignPhone, r"another country \(\+855\)"),  # Cambodia
        ("+1 650 253 0000", ForeignPhone, r"another country \(\+1\)"),
    ],
)
def test_what_is_no_number_says_why(
    text: str, error: type[BadPhone], says: str
) -> None:
    with pytest.raises(error, match=says) as refused:
        normalise(text)
    assert type(refused.value) is error
    assert refused.value.sentence("vi")


def test_a_refusal_does_not_repeat_the_number() -> None:
    with pytest.raises(BadPhone) as refused:
        normalise("0912 345 6789")
    assert "6789" not in str(refused.value) + repr(refused.value)


@pytest.mark.parametrize(
    ("e164", "masked"),
    [("+84912345678", "0912•••678"), ("+842963841234", "0296•••234")],
)
def test_a_masked_number_keeps_its_ends(e164: str, masked: str) -> None:
    assert mask(e164) == masked


def test_the_last_four_digits_stand_for_the_number() -> None:
    assert last4("+84912345678") == "5678"


@given(st.integers(0, 9_999_999), st.sampled_from([*PREFIXES_OF_2018.values(), "91"]))
def test_reading_what_was_read_changes_nothing(number: int, prefix: str) -> None:
    phone = normalise(f"0{prefix}{number:07}")
    assert phone.e164 == f"+84{prefix}{number:07}"
    assert normalise(phone.e164) == phone
    assert normalise(phone.e164[1:]) == phone


def outcome(text: str) -> Phone | str:
    try:
        return normalise(text)
    except BadPhone as refused:
        return refused.sentence("vi")


@given(st.text() | st.text(st.sampled_from("0123456789+-. ()/")))
def test_any_text_is_a_number_or_a_sentence(text: str) -> None:
    assert outcome(text)
