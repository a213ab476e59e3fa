"""Phone numbers: from any Vietnamese way of writing one to E.164, and back masked.

Does not know whose number it is, and never puts one into an error.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType

from postal_track.errors import BadPhone, ForeignPhone, PhoneWithLetters

COUNTRY = 84

# Mobile numbers lost a digit in September and October 2018: prefix before -> after, by
# the numbering plan of Circular 22/2014/TT-BTTTT as carried out in 2018.
PREFIXES_OF_2018 = {
    # MobiFone
    "120": "70",
    "121": "79",
    "122": "77",
    "126": "76",
    "128": "78",
    # VinaPhone
    "123": "83",
    "124": "84",
    "125": "85",
    "127": "81",
    "129": "82",
    # Viettel
    "162": "32",
    "163": "33",
    "164": "34",
    "165": "35",
    "166": "36",
    "167": "37",
    "168": "38",
    "169": "39",
    # Vietnamobile
    "186": "56",
    "188": "58",
    # Gmobile
    "199": "59",
}
_LENGTH_BEFORE_2018 = 10

_MOBILE = {PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}
# Hotlines and toll-free numbers are valid, but no citizen lives behind one.
_SUBSCRIBER = _MOBILE | {PhoneNumberType.FIXED_LINE, PhoneNumberType.VOIP}

_WRITTEN = re.compile(r"\(?\+?[0-9 ().\-/]*")


@dataclass(frozen=True, slots=True)
class Phone:
    """A Vietnamese subscriber's number; a landline cannot be sent an SMS."""

    e164: str
    sms_capable: bool


def normalise(text: str) -> Phone:
    """Read a number: 0912..., 84..., +84, spaces, dots, dashes, forms before 2018.

    A leading zero that a spreadsheet dropped is put back. Raises BadPhone.
    """
    # Every dash and space of Unicode becomes the plain one.
    plain = "".join(map(_plain, unicodedata.normalize("NFKC", text))).strip()
    if not _WRITTEN.fullmatch(plain):
        raise PhoneWithLetters
    number = _parse(plain)
    kind = phonenumbers.number_type(number)
    if kind not in _SUBSCRIBER:
        raise BadPhone
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return Phone(e164, kind in _MOBILE)


def mask(e164: str) -> str:
    """Show a number without giving it away: 0912•••678."""
    written = e164.replace(f"+{COUNTRY}", "0", 1)
    return f"{written[:4]}•••{written[-3:]}"


def last4(e164: str) -> str:
    """Give the four digits that a citizen proves himself with."""
    return e164[-4:]


def _plain(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Pd":
        return "-"
    # Cf: marks without width, which come along when a number is copied from a chat.
    return {"Z": " ", "C": ""}.get(category[0], char)


def _parse(text: str) -> phonenumbers.PhoneNumber:
    try:
        number = phonenumbers.parse(text, "VN")
    except NumberParseException:
        raise BadPhone from None
    if number.country_code != COUNTRY:
        raise ForeignPhone(number.country_code or 0)
    national = str(number.national_number)
    after = PREFIXES_OF_2018.get(national[:3])
    if after and len(national) == _LENGTH_BEFORE_2018:
        number.national_number = int(after + national[3:])
    return number
