"""What is signed, byte by byte, and with which key.

A signed statement is a body, UTF-8 JSON as ``ledger`` writes it (keys in alphabetical
order, no white space, no floating-point number), and an Ed25519 signature over its
bytes as they stand. The body names its kind and its key. Knows no table; what is stated
is ``checkpoints``' and ``proofs``' affair.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from postal_track.settings import seal_key, settings

VERSION = 1


@dataclass(frozen=True, slots=True)
class Signed:
    """A statement as it was signed; ``body`` is what was signed, letter by letter."""

    body: str
    signature: bytes

    @property
    def facts(self) -> dict[str, Any]:
        """What it states. ``ValueError`` when the body is no statement at all."""
        facts = json.loads(self.body)
        if not isinstance(facts, dict) or not isinstance(facts.get("key"), str):
            raise ValueError("it is no statement with a key")
        return facts

    @property
    def hash(self) -> bytes:
        """SHA-256 over the body: what the next checkpoint points back to."""
        return hashlib.sha256(self.body.encode()).digest()

    def genuine(self, keys: Collection[str]) -> bool:
        """Whether one of these keys signed just this."""
        try:
            key = self.facts["key"]
            if key not in keys:
                return False
            signer = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
            signer.verify(self.signature, self.body.encode())
        except (ValueError, InvalidSignature):
            return False
        return True


def sign(kind: str, facts: Mapping[str, Any]) -> Signed:
    """State something under this server's key."""
    whole = {**facts, "key": public_key(), "kind": kind, "v": VERSION}
    body = json.dumps(whole, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return Signed(body, _private_key().sign(body.encode()))


def public_key() -> str:
    """Give the key that checks what this server signs: 64 hexadecimal digits."""
    return _raw(_private_key().public_key())


def public_pem() -> str:
    """Give the same as other programs like it."""
    key = _private_key().public_key()
    form = PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(Encoding.PEM, form).decode("ascii")


def trusted_keys() -> frozenset[str]:
    """Give the public keys that sealed this ledger: today's and those before it."""
    return frozenset({public_key(), *settings().SEAL_OLD_KEYS})


def _private_key() -> Ed25519PrivateKey:
    return _from_seed(seal_key(settings()))


@cache
def _from_seed(seed: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))


def _raw(key: Ed25519PublicKey) -> str:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
