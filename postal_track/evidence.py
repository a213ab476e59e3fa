"""What someone kept outside: a receipt or a checkpoint, read from its file.

A file is believed only as far as it proves itself: its signatures, the links of its
lines and its way to the signed root are checked here. Whether the ledger still says the
same is ``audit``'s question; no table is asked here. ``docs/check_receipt.py`` does the
same for people who have nothing of ours.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from postal_track import merkle
from postal_track.checkpoints import Checkpoint
from postal_track.errors import BadEvidence
from postal_track.seals import Signed

RECEIPT = "postal-track receipt 1"
CHECKPOINT = "postal-track checkpoint 1"


@dataclass(slots=True)
class Evidence:
    """What a file proves was so: hashes of lines by waybill and number, checkpoints.

    ``keys`` are those that signed it; whether they are ours is not known here.
    """

    name: str
    lines: dict[tuple[str, int], bytes] = field(default_factory=dict)
    checkpoints: dict[int, Checkpoint] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)


def read(path: Path) -> Evidence:
    """Read a file that was exported earlier; ``BadEvidence`` when it proves nothing."""
    try:
        given = json.loads(path.read_text("utf-8"))
        return _read(path.name, given)
    except OSError as fault:
        raise BadEvidence(path.name, f"it cannot be read ({fault.strerror})") from None
    except KeyError as fault:
        raise BadEvidence(path.name, f"{fault} is missing") from None
    except (TypeError, AttributeError, json.JSONDecodeError, UnicodeDecodeError):
        raise BadEvidence(path.name, "it has not the form of one") from None
    except BadEvidence:
        raise
    except ValueError as fault:
        raise BadEvidence(path.name, str(fault)) from None


def _read(name: str, given: Mapping[str, Any]) -> Evidence:
    found = Evidence(name)
    if given["format"] == CHECKPOINT:
        newest = _checkpoint(found, given)
        for each in given.get("links", ()):
            _checkpoint(found, each)
        _linked(found, newest)
    elif given["format"] == RECEIPT:
        _receipt(found, given)
    else:
        raise ValueError(f"its format is {given['format']!r}")
    return found


def _signed(found: Evidence, given: Mapping[str, Any]) -> Signed:
    signed = Signed(str(given["body"]), bytes.fromhex(given["signature"]))
    key = signed.facts["key"]
    if not signed.genuine({key}):
        raise ValueError("its signature does not fit")
    found.keys.add(key)
    return signed


def _checkpoint(found: Evidence, given: Mapping[str, Any]) -> Checkpoint:
    checkpoint = Checkpoint.of(_signed(found, given))
    found.checkpoints[checkpoint.number] = checkpoint
    return checkpoint


def _linked(found: Evidence, newest: Checkpoint) -> None:
    """See that each checkpoint of the file points back to the one before it."""
    for number, each in found.checkpoints.items():
        before = found.checkpoints.get(number - 1)
        if before and each.previous != before.hash:
            raise ValueError(f"checkpoint {number} does not follow from {number - 1}")
    if newest.number != max(found.checkpoints):
        raise ValueError("a link is newer than the checkpoint itself")


def _receipt(found: Evidence, given: Mapping[str, Any]) -> None:
    facts = _signed(found, given).facts
    if facts["kind"] != "receipt":
        raise ValueError("its body is no receipt")
    waybill, seq = facts["waybill"], facts["seq"]
    before = None
    for at, text in enumerate(given["lines"], start=seq):
        line = json.loads(text)
        if (line["waybill"], line["seq"]) != (waybill, at):
            raise ValueError(f"line {at} is not of this item")
        if before is not None and line["previous"] != before.hex():
            raise ValueError(f"line {at} does not follow from line {at - 1}")
        before = hashlib.sha256(text.encode()).digest()
        found.lines[waybill, at] = before
    if before is None or found.lines[waybill, seq].hex() != facts["hash"]:
        raise ValueError("its line is not the one that was signed")
    if given["checkpoint"] is not None:
        _included(found, given, waybill, before)


def _included(
    found: Evidence, given: Mapping[str, Any], waybill: str, head: bytes
) -> None:
    checkpoint = _checkpoint(found, given["checkpoint"])
    path = [bytes.fromhex(each) for each in given["path"]["hashes"]]
    leaf = merkle.leaf(waybill, max(seq for _, seq in found.lines), head)
    index = given["path"]["index"]
    if merkle.climb(leaf, index, checkpoint.items, path) != checkpoint.root:
        raise ValueError("its path does not lead to the signed root")
