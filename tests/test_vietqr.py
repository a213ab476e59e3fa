"""VietQR payloads, and the reference that a transfer carries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postal_track import references
from postal_track.vietqr import Transfer, VietQRError, crc, read, write

# The vectors of the standard.
STATIC = (
    "00020101021138570010A00000072701270006970403011300110123456780208QRIBFTTA"
    "53037045802VN63049E6F"
)
DYNAMIC = (
    "00020101021238570010A00000072701270006970403011300110123456780208QRIBFTTA"
    "530370454061800005802VN62340107NPS68690819thanh toan don hang63042E2E"
)

PURPOSES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=25)
TRANSFERS = st.builds(
    Transfer,
    bank=st.from_regex("[0-9]{6}", fullmatch=True),
    account=st.from_regex("[0-9A-Za-z]{1,19}", fullmatch=True),
    amount=st.integers(0, 9_999_999_999_999),
    bill=PURPOSES,
    purpose=PURPOSES,
)


def test_the_vectors_of_the_standard_are_written_letter_by_letter() -> None:
    assert write(Transfer("970403", "0011012345678")) == STATIC
    order = ("NPS6869", "thanh toan don hang")
    assert write(Transfer("970403", "0011012345678", 180_000, *order)) == DYNAMIC


def test_the_checksum_is_the_one_of_the_catalogue_of_crcs() -> None:
    assert crc("123456789") == "29B1"
    assert crc("A0014B") != crc("A0014C")
    assert all(len(crc(str(each))) == 4 for each in range(300))  # zeros in front stay


@given(TRANSFERS)
def test_what_was_written_is_read_back(transfer: Transfer) -> None:
    assert read(write(transfer)) == transfer


@given(TRANSFERS, st.data())
def test_one_damaged_sign_is_noticed(transfer: Transfer, data: st.DataObject) -> None:
    payload = write(transfer)
    at = data.draw(st.integers(0, len(payload) - 1))
    sign = data.draw(st.characters(min_codepoint=32, max_codepoint=126))
    if sign == payload[at]:
        return
    with pytest.raises(VietQRError):
        read(payload[:at] + sign + payload[at + 1 :])


@pytest.mark.parametrize(
    "wrong",
    [
        {"bank": "97040"},
        {"bank": "97040A"},
        {"account": ""},
        {"account": "0" * 20},
        {"amount": -1},
        {"purpose": "a" * 26},
        {"purpose": "tiền"},
        {"bill": "a\nb"},
    ],
)
def test_what_no_bank_could_read_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(VietQRError):
        Transfer(**({"bank": "970403", "account": "1"} | wrong))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["", "6304", "63041D0F", STATIC[:-1], STATIC + " ", "HTTPS://X", "đ" * 20]
)
def test_what_is_no_payload_is_said_to_be_none(text: str) -> None:
    with pytest.raises(VietQRError):
        read(text)


# The reference


def test_a_reference_is_drawn_by_lot_and_checks_itself() -> None:
    drawn = {references.make() for _ in range(500)}
    assert len(drawn) == 500
    assert all(references.sound(each) and len(each) == 11 for each in drawn)


def test_every_wrong_sign_is_noticed_and_the_right_one_proposed() -> None:
    right = references.make()
    for place in range(2, 11):
        for sign in references.ALPHABET:
            wrong = right[:place] + sign + right[place + 1 :]
            if wrong != right:
                assert not references.sound(wrong)
    wrong = right[:5] + ("A" if right[5] != "A" else "B") + right[6:]
    assert references.found(wrong) == []
    assert right in references.nearly(wrong)


WAYS = [
    "{}",
    "{} ",
    "MBVCB.7712345678.{}.CT tu 0071000123456 NGUYEN THI HOA toi 970403",
    "ck ho so {} cam on",
    "IBFT{}FT26327",
    "Nguyen Van A chuyen tien-{}-271126",
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("written", [str, str.lower, references.spaced])
def test_a_bank_may_change_the_text_on_its_way(way: str, written: object) -> None:
    right = "BD7K3M9QX2" + references.check("7K3M9QX2")
    assert callable(written)
    assert references.found(way.format(written(right))) == [right]


def test_letters_that_look_like_digits_are_read_as_them() -> None:
    right = "BD10AB01CD" + references.check("10AB01CD")
    typed = right[:2] + right[2:].replace("1", "l").replace("0", "O")
    assert references.found(f"thanh toan {typed}") == [right]


@pytest.mark.parametrize(
    "text", ["", "chuyen tien", "BD", "BD1234", "BDAAAAAAAAAA A", "BƯU ĐIỆN", "B D"]
)
def test_a_text_without_a_reference_has_none(text: str) -> None:
    assert references.found(text) == []
