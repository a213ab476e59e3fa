from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms.segments import (
    BASIC,
    EXTENDED,
    Alphabet,
    TooLongError,
    alphabet,
    plain,
    segments,
    shorten,
    units,
)


@pytest.mark.parametrize(
    ("text", "used", "length", "pieces"),
    [
        ("", Alphabet.GSM, 0, 1),
        ("a" * 160, Alphabet.GSM, 160, 1),
        ("a" * 161, Alphabet.GSM, 161, 2),
        ("a" * 306, Alphabet.GSM, 306, 2),
        ("a" * 307, Alphabet.GSM, 307, 3),
        ("€" * 80, Alphabet.GSM, 160, 1),
        ("€" * 81, Alphabet.GSM, 162, 2),
        # 152 + a pair does not fit into 153: the pair moves on, and so does the rest.
        ("a" * 152 + "€" + "a" * 151, Alphabet.GSM, 305, 2),
        ("a" * 152 + "€" + "a" * 152, Alphabet.GSM, 306, 3),
        ("đ" + "a" * 69, Alphabet.UCS, 70, 1),
        ("đ" + "a" * 70, Alphabet.UCS, 71, 2),
        ("😀" * 35, Alphabet.UCS, 70, 1),
        ("😀" * 67, Alphabet.UCS, 134, 3),
        ("`", Alphabet.UCS, 1, 1),
        ("[{}]", Alphabet.GSM, 8, 1),
    ],
)
def test_a_text_takes_the_pieces_that_networks_count(
    text: str, used: Alphabet, length: int, pieces: int
) -> None:
    assert (alphabet(text), units(text), segments(text)) == (used, length, pieces)


def test_the_alphabet_is_that_of_the_standard() -> None:
    assert len(BASIC) == len(set(BASIC)) == 127  # 128 with the escape
    assert len(EXTENDED) == 10
    assert not set(BASIC) & set(EXTENDED)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Bưu điện đã nhận hồ sơ", "Buu dien da nhan ho so"),
        ("ĐẶNG THỊ ỨNG HOÈ", "DANG THI UNG HOE"),
        ("“Ông/Bà” \u2013 26.000đ…", '"Ong/Ba" - 26.000d...'),
        ("a\u00a0b\u202fc\td", "a b c d"),
        ("it\u2019s\u200b", "it's"),
        ("ﬁ ½ №", "fi ? No"),
        ("漢", "?"),
        ("đã 😀", "da ?"),
    ],
)
def test_vietnamese_is_written_plain(written: str, expected: str) -> None:
    assert plain(written) == expected


@given(st.text(max_size=300))
def test_whatever_is_written_plain_is_gsm(text: str) -> None:
    assert alphabet(plain(text)) is Alphabet.GSM
    assert plain(plain(text)) == plain(text)


@given(st.text(max_size=700))
def test_pieces_are_enough_and_not_one_too_many(text: str) -> None:
    room = 160 if alphabet(text) is Alphabet.GSM else 70
    joined = 153 if alphabet(text) is Alphabet.GSM else 67
    pieces = segments(text)
    if units(text) <= room:
        assert pieces == 1
    else:
        # A pair that moves to the next piece wastes at most one unit of each.
        least = -(-units(text) // joined)
        most = -(-units(text) // (joined - 1))
        assert least <= pieces <= most


SHORTER = {"Uy ban nhan dan": "UBND", "phuong": "P."}


@pytest.mark.parametrize(
    ("text", "room", "expected"),
    [
        ("UBND Long Xuyen", 20, "UBND Long Xuyen"),
        ("Uy ban nhan dan phuong Long Xuyen", 33, "Uy ban nhan dan phuong Long Xuyen"),
        ("Uy ban nhan dan phuong Long Xuyen", 22, "UBND phuong Long Xuyen"),
        ("Uy ban nhan dan phuong Long Xuyen", 18, "UBND P. Long Xuyen"),
        ("Uy ban nhan dan phuong Long Xuyen", 14, "UBND P. Long.."),
        ("Uy ban nhan dan phuong Long Xuyen", 6, "UBND.."),
        ("Uy ban nhan dan phuong Long Xuyen", 5, "UBN.."),
        ("Long Xuyen, DH473124829VN", 20, "Long Xuyen.."),
    ],
)
def test_a_name_is_shortened_by_the_stated_rule(
    text: str, room: int, expected: str
) -> None:
    assert shorten(text, room, SHORTER) == expected


def test_a_code_is_never_cut() -> None:
    with pytest.raises(TooLongError):
        shorten("DH473124829VN", 10)


@given(st.text(alphabet="abc 123€", max_size=60), st.integers(3, 60))
def test_shortening_keeps_every_code_whole_or_drops_it(text: str, room: int) -> None:
    try:
        short = shorten(text, room)
    except TooLongError:
        return
    assert units(short) <= max(room, 0) or short == text
    whole = {word for word in text.split() if any(one.isdigit() for one in word)}
    for word in short.removesuffix("..").split():
        if any(one.isdigit() for one in word):
            assert word in whole
