"""VietQR: what a bank's app reads to fill a transfer in (NAPAS, EMVCo).

A payload is a row of fields: tag and length in two digits each, then the value; the
last one is CRC-16/CCITT-FALSE over all before it. Pure: knows no account of ours and
draws nothing.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

NAPAS = "A000000727"
TO_ACCOUNT = "QRIBFTTA"
DONG = "704"

LONGEST_PURPOSE = 25
LARGEST_AMOUNT = 9_999_999_999_999

_BIN = re.compile(r"[0-9]{6}")
_ACCOUNT = re.compile(r"[0-9A-Za-z]{1,19}")
_PRINTABLE = re.compile(r"[ -~]*")
_NOT_PLAIN = "must be printable ASCII of at most 25 characters"


class VietQRError(ValueError):
    """A field cannot stand in a payload, or a text is none."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """What a payload says: to which account, how much (VND), with which words.

    ``bank`` is its BIN. Without an amount (0) the one who pays types it. ``bill`` is
    the payee's number, ``purpose`` the text of the transfer.
    """

    bank: str
    account: str
    amount: int = 0
    bill: str = ""
    purpose: str = ""

    def __post_init__(self) -> None:
        """Refuse what no bank's app could read back."""
        if not _BIN.fullmatch(self.bank):
            raise VietQRError("a bank's BIN has six digits")
        if not _ACCOUNT.fullmatch(self.account):
            raise VietQRError("an account has up to 19 letters and digits")
        if not 0 <= self.amount <= LARGEST_AMOUNT:
            raise VietQRError("the amount is not plausible")
        for text in (self.bill, self.purpose):
            if len(text) > LONGEST_PURPOSE or not _PRINTABLE.fullmatch(text):
                raise VietQRError(_NOT_PLAIN)


def write(transfer: Transfer) -> str:
    """Write the payload that a QR code carries."""
    to = _field("00", transfer.bank) + _field("01", transfer.account)
    account = _field("00", NAPAS) + _field("01", to) + _field("02", TO_ACCOUNT)
    said = [("01", transfer.bill), ("08", transfer.purpose)]
    more = "".join(_field(tag, text) for tag, text in said if text)
    body = _field("00", "01") + _field("01", "12" if transfer.amount else "11")
    body += _field("38", account) + _field("53", DONG)
    if transfer.amount:
        body += _field("54", str(transfer.amount))
    body += _field("58", "VN")
    if more:
        body += _field("62", more)
    body += "6304"
    return f"{body}{crc(body)}"


def read(payload: str) -> Transfer:
    """Read a payload back; ``VietQRError`` when it is damaged or not of this kind."""
    body, found = payload[:-4], payload[-4:]
    if not body.endswith("6304") or not body.isascii() or crc(body) != found:
        raise VietQRError("the checksum does not agree")
    fields = dict(_fields(body[:-4]))
    account = dict(_fields(fields.get("38", "")))
    if account.get("00") != NAPAS or account.get("02") != TO_ACCOUNT:
        raise VietQRError("this is no transfer to an account by NAPAS")
    if fields.get("53") != DONG:
        raise VietQRError("the currency is not VND")
    to, more = dict(_fields(account.get("01", ""))), dict(_fields(fields.get("62", "")))
    amount = fields.get("54", "0")
    if not amount.isdigit():
        raise VietQRError("the amount is no whole number")
    return Transfer(
        to.get("00", ""),
        to.get("01", ""),
        int(amount),
        more.get("01", ""),
        more.get("08", ""),
    )


def crc(text: str) -> str:
    """CRC-16/CCITT-FALSE (polynomial 1021, from FFFF), in four upper hex digits."""
    return f"{binascii.crc_hqx(text.encode('ascii'), 0xFFFF):04X}"


def _field(tag: str, value: str) -> str:
    return f"{tag}{len(value):02d}{value}"


def _fields(text: str) -> Iterator[tuple[str, str]]:
    while text:
        head, length = text[:2], text[2:4]
        if not (head + length).isdigit() or len(text) < 4 + int(length or 0):
            raise VietQRError("a field is cut off")
        end = 4 + int(length)
        yield head, text[4:end]
        text = text[end:]
