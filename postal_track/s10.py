"""Waybills: UPU S10 identifiers `DH` + 8 digits + check digit + `VN`.

Answers how a waybill is made and whether a typed one can be right. Does not know which
waybills exist. `D*` service indicators are for domestic use (UPU S10).
"""

from __future__ import annotations

import unicodedata

from postal_track.errors import WaybillCheckDigit, WaybillLength, WaybillLetters

SERVICE = "DH"
BAG = "DT"  # tui: bags have a pool of their own, also domestic
COUNTRY = "VN"
LENGTH = 13
LAST = 99_999_999

_WEIGHTS = (8, 6, 4, 2, 3, 5, 9, 7)


def check_digit(serial: str) -> str:
    """Work out the check digit of eight digits, by UPU S10.

    About 1.8 % of single-digit slips keep the same check digit, since two of the eleven
    remainders are given the digit 5: after a typed number, show what it stands for.
    """
    if len(serial) != len(_WEIGHTS) or not _digits(serial):
        raise ValueError(f"A serial has eight digits, not {serial!r}.")
    weighed = sum(
        weight * int(digit) for weight, digit in zip(_WEIGHTS, serial, strict=True)
    )
    rest = 11 - weighed % 11
    return str({10: 0, 11: 5}.get(rest, rest))


def waybill(number: int, service: str = SERVICE) -> str:
    """Write the waybill of the number-th item, from 0 to 99,999,999."""
    if not 0 <= number <= LAST:
        raise ValueError(f"A waybill's number is from 0 to {LAST}, not {number}.")
    serial = f"{number:08}"
    return service + serial + check_digit(serial) + COUNTRY


def bag(number: int) -> str:
    """Write the number-th bag's number: the shape of a waybill, other letters."""
    return waybill(number, BAG)


def parse(text: str) -> str:
    """Read a typed or scanned waybill; case, spaces and dashes do not matter.

    Raises a BadWaybill whose sentence says what is wrong: length, letters, or digit.
    """
    found = bare(text)
    if len(found) != LENGTH:
        raise WaybillLength(text, len(found))
    service, serial, check, country = _parts(found)
    if service != SERVICE or country != COUNTRY or not _digits(serial + check):
        raise WaybillLetters(text)
    if check != check_digit(serial):
        raise WaybillCheckDigit(text, check_digit(serial), check)
    return found


def spaced(waybill: str) -> str:
    """Group a waybill for people, who compare and dictate it: DH 1234 5678 5 VN."""
    service, serial, check, country = _parts(waybill)
    return f"{service} {serial[:4]} {serial[4:]} {check} {country}"


def bare(text: str) -> str:
    """Upper case, without spaces, dashes and what scanners add before and behind."""
    # NFKC: an input method may leave full-width digits, a web page odd spaces.
    upper = unicodedata.normalize("NFKC", text).upper()
    return "".join(filter(_written, upper))


def _written(char: str) -> bool:
    # Left out: dashes (Pd), spaces (Z*), line ends, tabs and invisible marks (C*).
    category = unicodedata.category(char)
    return category != "Pd" and category[0] not in "ZC"


def _parts(waybill: str) -> tuple[str, str, str, str]:
    return waybill[:2], waybill[2:10], waybill[10:11], waybill[11:]


def _digits(text: str) -> bool:
    # str.isdigit also takes Arabic and superscript digits.
    return text.isascii() and text.isdigit()
