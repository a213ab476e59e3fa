"""The reference in a transfer's text: by it money finds its dossier.

``BD``, eight characters drawn by lot and a check character. It tells nothing of a
person and cannot be guessed from another. Banks change a text on its way: they put
their own words before it, take spaces out or in, write it in lower case; people type
O for 0. Pure.
"""

import re
import secrets
from collections.abc import Iterator

PREFIX = "BD"
LENGTH = 11

# Crockford's: no I, L, O or U, which are read as something else.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES = {sign: value for value, sign in enumerate(ALPHABET)}
_MISREAD = str.maketrans("OIL", "011")
_LOOKS_LIKE_ONE = re.compile(r"(?=BD([0-9A-Z]{9}))")
_SHOWN = re.compile(rf"{PREFIX}[{ALPHABET}]{{9}}")


def make() -> str:
    """Draw a new reference."""
    drawn = "".join(secrets.choice(ALPHABET) for _ in range(8))
    return f"{PREFIX}{drawn}{check(drawn)}"


def sound(text: str) -> bool:
    """Whether a text is a reference as we write it."""
    return bool(_SHOWN.fullmatch(text)) and check(text[2:-1]) == text[-1]


def spaced(reference: str) -> str:
    """Write it so that a person can read it aloud: ``BD 7K3M 9QX2 C``."""
    return " ".join((reference[:2], reference[2:6], reference[6:10], reference[10:]))


def check(drawn: str) -> str:
    """Luhn's check character, for 32 signs.

    Finds every wrong character and nearly every pair of neighbours that were swapped.
    """
    total = 0
    for place, sign in enumerate(reversed(drawn)):
        value = _VALUES[sign] * (2 if place % 2 == 0 else 1)
        total += value // 32 + value % 32
    return ALPHABET[-total % 32]


def found(text: str) -> list[str]:
    """List the references in a text, as they are written by us, each once."""
    return list(dict.fromkeys(each for each in _candidates(text) if sound(each)))


def nearly(text: str) -> list[str]:
    """List what a text may have meant where one character of a reference is wrong.

    A proposal for a person's eyes, never a match: another's reference may be among it.
    """
    meant: dict[str, None] = {}
    for candidate in _candidates(text):
        if sound(candidate) or not _SHOWN.fullmatch(candidate):
            continue
        for place in range(2, LENGTH):
            for sign in ALPHABET:
                other = candidate[:place] + sign + candidate[place + 1 :]
                if sound(other):
                    meant[other] = None
    return list(meant)


def _candidates(text: str) -> Iterator[str]:
    squeezed = "".join(
        sign for sign in text.upper() if sign.isascii() and sign.isalnum()
    )
    for each in _LOOKS_LIKE_ONE.finditer(squeezed):
        yield PREFIX + each[1].translate(_MISREAD)
