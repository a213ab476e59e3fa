"""How a text fits into the pieces that a phone network carries.

Knows the alphabets of 3GPP TS 23.038 (GSM 7-bit with its extension table, and UCS-2),
the length of a piece in each, how to write Vietnamese without marks and how to shorten.
Pure; does not know what a text is about.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from enum import StrEnum

BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED = "\f^{}\\[~]|€"

_IS_BASIC = re.compile(f"[{re.escape(BASIC)}]*").fullmatch
_IS_GSM = re.compile(f"[{re.escape(BASIC + EXTENDED)}]*").fullmatch
_IS_EXTENDED = frozenset(EXTENDED)


class TooLongError(ValueError):
    """A text cannot be made short enough without cutting a code in two."""


class Alphabet(StrEnum):
    """How the characters of a text travel."""

    GSM = "GSM-7"
    UCS = "UCS-2"


# Room in a text that travels alone, and in each piece of a joined one, whose header
# takes seven septets or three UCS-2 units.
ALONE = {Alphabet.GSM: 160, Alphabet.UCS: 70}
JOINED = {Alphabet.GSM: 153, Alphabet.UCS: 67}


def alphabet(text: str) -> Alphabet:
    """Say how the text travels: one character outside GSM-7 makes all of it UCS-2."""
    return Alphabet.GSM if _IS_GSM(text) else Alphabet.UCS


def units(text: str) -> int:
    """Count what the text takes: septets in GSM-7, 16-bit units in UCS-2.

    A character of the extension table takes two septets, one beyond the basic plane
    (an emoji) two units.
    """
    if _IS_BASIC(text):
        return len(text)
    return sum(_widths(text))


def segments(text: str) -> int:
    """Count the pieces that the text is carried and paid in; an empty text is one."""
    used = alphabet(text)
    if units(text) <= ALONE[used]:
        return 1
    pieces, room = 1, JOINED[used]
    for width in _widths(text):
        # A pair (escape and character, or two surrogates) never straddles two pieces.
        if width > room:
            pieces, room = pieces + 1, JOINED[used]
        room -= width
    return pieces


def _widths(text: str) -> list[int]:
    if alphabet(text) is Alphabet.GSM:
        return [2 if character in _IS_EXTENDED else 1 for character in text]
    return [2 if character > "\uffff" else 1 for character in text]


_LOOKALIKES = str.maketrans(
    {
        "đ": "d",
        "Đ": "D",
        "`": "'",
        "\t": " ",
    }
    | dict.fromkeys("‘’‚‛′´ʼ", "'")  # noqa: RUF001
    | dict.fromkeys("“”„‟″«»", '"')
    | dict.fromkeys("‐‑‒–—―−", "-")  # noqa: RUF001
    | dict.fromkeys("\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007", " ")
    | dict.fromkeys("\u2008\u2009\u200a\u202f\u205f\u3000", " ")
)


def plain(text: str) -> str:
    """Write the text in GSM-7 alone, without marks: "Bưu điện" becomes "Buu dien".

    Marks are dropped (NFD), look-alikes replaced (đ, curly quotes, dashes, spaces,
    ligatures), characters that show nothing removed. What has no plain form becomes
    "?": a text must never turn into UCS-2 unseen.
    """
    if text.isascii() and _IS_GSM(text):
        return text
    apart = unicodedata.normalize("NFD", text.translate(_LOOKALIKES))
    bare = "".join(one for one in apart if not unicodedata.combining(one))
    if not _IS_GSM(bare):
        bare = "".join(map(_plain_character, bare))
    return bare


def _plain_character(one: str) -> str:
    if _IS_GSM(one):
        return one
    if unicodedata.category(one) in ("Cf", "Cc", "Mn", "Me"):
        return ""
    close = unicodedata.normalize("NFKD", one).translate(_LOOKALIKES)
    return close if close != one and _IS_GSM(close) else "?"


def shorten(text: str, room: int, shorter: Mapping[str, str] | None = None) -> str:
    """Make a name fit into `room` units, by this rule and no other.

    1. A text that fits stays as it is.
    2. Known long words are replaced by their `shorter` forms, in the order given, until
       it fits.
    3. Whole words are dropped from the end, and ".." says so.
    4. A last word is cut with ".." only if it is made of letters. Anything with a digit
       in it may be a code, and half a code is worse than none.

    Raises TooLongError when that leaves nothing.
    """
    for long, short in (shorter or {}).items():
        if units(text) <= room:
            return text
        text = re.sub(rf"\b{re.escape(long)}\b", short, text, flags=re.IGNORECASE)
    if units(text) <= room:
        return text
    words = text.split()
    while len(words) > 1:
        words.pop()
        kept = f"{' '.join(words).rstrip(' ,;.-(')}.."
        if units(kept) <= room:
            return kept
    word = words[0] if words else ""
    if room < 3 or any(character.isdigit() for character in word):
        raise TooLongError(f"{text!r} cannot be written in {room} characters")
    while units(word) > room - 2:
        word = word[:-1]
    return f"{word}.."
