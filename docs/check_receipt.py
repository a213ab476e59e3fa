"""Check receipts and checkpoints of Postal Track, alone: Python 3.9+ and cryptography.

python check_receipt.py receipt.json                  does it prove what it says?
python check_receipt.py --key 3d40... receipt.json    and is it signed with this key?
python check_receipt.py older.json newer.json         do they agree with each other?

Ends with 0 when all is well, 1 when something is wrong, 2 when it cannot tell whether a
newer checkpoint follows from an older one, or which of two keys is the right one.
docs/ledger.md describes the files.
"""

import argparse
import hashlib
import json
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Wrong(Exception):
    """What a file says is not so."""


def expect(holds, sentence):
    """Go on only if it holds."""
    if not holds:
        raise Wrong(sentence)


def sha(data):
    """Hash with SHA-256."""
    return hashlib.sha256(data).digest()


def climb(node, index, size, path):
    """Go from a leaf up to the root of its tree, after RFC 6962."""
    expect(0 <= index < size, "its place is not in the tree")
    path = [bytes.fromhex(each) for each in path]
    while size > 1:
        if index % 2 or index + 1 < size:
            expect(path, "its path is too short")
            beside = path.pop(0)
            node = sha(b"\1" + (beside + node if index % 2 else node + beside))
        index, size = index // 2, (size + 1) // 2
    expect(not path, "its path is too long")
    return node


class Kept:
    """All that the files say, each held against what is known already."""

    def __init__(self, trusted):
        self.trusted = (
            trusted  # the keys that all must be signed with, if any are given
        )
        self.keys = set()  # those that were used
        self.known = {"checkpoint 0": bytes(32)}  # hashes of checkpoints and lines
        self.seen = set()  # numbers of checkpoints that are there whole
        self.proved = set()  # those that were asked about

    def learn(self, what, hashed):
        """Take a hash in; two for one thing prove that it was altered."""
        expect(self.known.setdefault(what, hashed) == hashed, f"{what} was altered")

    def signed(self, part, kind):
        """Check a signature; give what was signed."""
        body = json.loads(part["body"])
        expect((body["kind"], body["v"]) == (kind, 1), f"it is no {kind}, version 1")
        known = not self.trusted or body["key"] in self.trusted
        expect(known, f"it is signed with another key, {body['key']}")
        self.keys.add(body["key"])
        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(body["key"]))
            key.verify(bytes.fromhex(part["signature"]), part["body"].encode())
        except InvalidSignature:
            raise Wrong("its signature does not fit") from None
        return body

    def checkpoint(self, part):
        """Take a checkpoint in, and what it says of the one before."""
        body = self.signed(part, "checkpoint")
        number = body["number"]
        self.learn(f"checkpoint {number}", sha(part["body"].encode()))
        self.learn(f"checkpoint {number - 1}", bytes.fromhex(body["previous"]))
        self.seen.add(number)
        return body

    def receipt(self, file):
        """Take a receipt in: its line, those up to the sealed one, the way up."""
        body, head = self.signed(file, "receipt"), b""
        waybill, first = body["waybill"], body["seq"]
        self.learn(f"{waybill}, line 0,", sha(waybill.encode("ascii")))
        for seq, text in enumerate(file["lines"], first):
            line, head = json.loads(text), sha(text.encode())
            mine = (line["waybill"], line["seq"]) == (waybill, seq)
            expect(mine, f"line {seq} is not of this item")
            before = bytes.fromhex(line["previous"])
            self.learn(f"{waybill}, line {seq - 1},", before)
            self.learn(f"{waybill}, line {seq},", head)
        self.learn(f"{waybill}, line {first},", bytes.fromhex(body["hash"]))
        expect(head, "it has no line")
        print(body["words"]["vi"], body["words"]["en"], sep="\n")
        if file["checkpoint"] is None:
            print("Signed, but not sealed by a checkpoint yet: fetch it again later.")
            return
        seal, way = self.checkpoint(file["checkpoint"]), file["path"]
        leaf = sha(b"\0" + waybill.encode("ascii") + seq.to_bytes(8, "big") + head)
        root = climb(leaf, way["index"], seal["items"], way["hashes"])
        expect(root.hex() == seal["root"], "its path does not lead to the signed root")
        self.proved.add(seal["number"])
        print(f"Sealed by checkpoint {seal['number']} of {seal['at']}.")

    def take(self, file):
        """Take any file in."""
        if file["format"] == "postal-track receipt 1":
            self.receipt(file)
            return
        expect(file["format"] == "postal-track checkpoint 1", "its format is unknown")
        for link in file["links"]:
            self.checkpoint(link)
        body = self.checkpoint(file)
        self.proved.add(body["number"])
        print(
            "Checkpoint {number} of {at}: {items} items, {lines} lines,".format(**body)
        )
        print(f"root {body['root']}.")


def main():
    """Say what became of it, and end with the number that says it to programs."""
    wanted = argparse.ArgumentParser(description="Check receipts and checkpoints.")
    wanted.add_argument("files", nargs="+", metavar="FILE")
    wanted.add_argument(
        "--key", action="append", help="a public key you trust, 64 hex digits"
    )
    given = wanted.parse_args()
    kept = Kept(given.key)
    for name in given.files:
        try:
            with open(name, encoding="utf-8") as file:
                kept.take(json.load(file))
        except (Wrong, OSError) as wrong:
            print(f"WRONG. {name}: {wrong}.")
            return 1
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            print(f"WRONG. {name} has not the form of a receipt or checkpoint.")
            return 1
    print(f"All is signed with {', '.join(sorted(kept.keys))}.")
    if not given.key:
        print("Is it the right key? Compare it with a checkpoint that was printed.")
    if len(kept.keys) > 1 and not given.key:
        print("More than one key was used: say which you trust with --key.")
        return 2
    oldest, newest = min(kept.proved, default=0), max(kept.proved, default=0)
    if not kept.seen.issuperset(range(oldest + 1, newest + 1)):
        print("Each is right, but does the newer checkpoint follow from the older?")
        print(f"Give also the file of /checkpoints/{newest}?since={oldest}.")
        return 2
    print("All is well.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
