"""A tree of hashes over the newest line of every item, after RFC 6962, section 2.1.

Pure: bytes in, bytes out. What is signed of it, and where it is kept, is
``checkpoints``' affair. The leaves stand in the order of their waybills; leaf and node
are told apart by their first byte, so that neither can pass for the other:

    leaf = SHA-256( 00 | waybill, 13 ASCII | seq, 8 bytes big-endian | head, 32 bytes )
    node = SHA-256( 01 | left, 32 bytes | right, 32 bytes )

The root of no leaf is SHA-256 of nothing; a node without a neighbour goes up as it is.
"""

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import NamedTuple

TILE = 1024
"""How many leaves one tile has: a power of two, so that tiles are whole subtrees.

With the roots of its tiles kept, a path needs the leaves of one tile, not of all."""

_WAYBILL, _HASH = 13, 32


class Tile(NamedTuple):
    """A run of leaves: the waybill of the first, and the root over all of them."""

    first: str
    root: bytes


def leaf(waybill: str, seq: int, head: bytes) -> bytes:
    """Hash what an item's chain is at a moment: its last line's number and hash."""
    form = b"\x00" + waybill.encode("ascii") + seq.to_bytes(8, "big") + head
    if len(form) != 1 + _WAYBILL + 8 + _HASH:
        raise ValueError(f"{waybill!r} with {len(head)} bytes makes no leaf")
    return hashlib.sha256(form).digest()


def node(left: bytes, right: bytes) -> bytes:
    """Hash two neighbours into the node above them."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(nodes: Sequence[bytes]) -> bytes:
    """Give the root over leaves, or over the roots of whole tiles, in their order."""
    if not nodes:
        return hashlib.sha256().digest()
    while len(nodes) > 1:
        nodes = _above(nodes)
    return nodes[0]


def path(nodes: Sequence[bytes], index: int) -> list[bytes]:
    """List the neighbours on the way from a node to the root, the lowest first."""
    neighbours = []
    while len(nodes) > 1:
        beside = index ^ 1
        if beside < len(nodes):
            neighbours.append(nodes[beside])
        nodes, index = _above(nodes), index // 2
    return neighbours


def climb(start: bytes, index: int, size: int, neighbours: Iterable[bytes]) -> bytes:
    """Give the root that a leaf and its path lead to.

    ``index`` is the leaf's place among ``size``. Raises ``ValueError`` when the path is
    not as long as the way.
    """
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} among {size}")
    rest = iter(neighbours)
    while size > 1:
        if index % 2:
            start = node(_next(rest), start)
        elif index + 1 < size:
            start = node(start, _next(rest))
        index, size = index // 2, (size + 1) // 2
    if next(rest, None) is not None:
        raise ValueError("the path is too long")
    return start


def _next(rest: Iterable[bytes]) -> bytes:
    for each in rest:
        return each
    raise ValueError("the path is too short")


def _above(nodes: Sequence[bytes]) -> list[bytes]:
    over = [node(nodes[i], nodes[i + 1]) for i in range(0, len(nodes) - 1, 2)]
    return over + [nodes[-1]] * (len(nodes) % 2)


def pack(tiles: Iterable[Tile]) -> bytes:
    """Write tiles one after the other, 45 bytes each."""
    return b"".join(tile.first.encode("ascii") + tile.root for tile in tiles)


def unpack(packed: bytes) -> list[Tile]:
    """Read what ``pack`` wrote; ``ValueError`` for anything else."""
    size = _WAYBILL + _HASH
    if len(packed) % size:
        raise ValueError("the tiles are cut off")
    return [
        Tile(
            packed[at : at + _WAYBILL].decode("ascii"),
            packed[at + _WAYBILL : at + size],
        )
        for at in range(0, len(packed), size)
    ]


class Heads:
    """The newest head of every item at some moment, and the tiles over them.

    Fed checkpoint by checkpoint; only tiles that changed are hashed again. Holds 53
    bytes an item: a million fit where a list of objects would need three times that.
    """

    def __init__(self) -> None:
        self._waybills = bytearray()
        self._leaves = bytearray()
        self._seqs = array("q")
        self._tiles: list[Tile] = []
        self._stale: set[int] = set()

    def __len__(self) -> int:
        return len(self._seqs)

    @property
    def lines(self) -> int:
        """How many lines all chains have together."""
        return sum(self._seqs)

    def put(self, waybill: str, seq: int, head: bytes) -> None:
        """Take in the newest head of an item, known or new."""
        count, name, hashed = (
            len(self),
            waybill.encode("ascii"),
            leaf(waybill, seq, head),
        )
        # New waybills are higher than all before, but for a handful made at once.
        newest = not count or name > self._waybills[-_WAYBILL:]
        at = count if newest else bisect_left(range(count), name, key=self._name)
        if at < count and self._name(at) == name:
            self._leaves[at * _HASH : (at + 1) * _HASH] = hashed
            self._seqs[at] = seq
            self._stale.add(at // TILE)
            return
        self._waybills[at * _WAYBILL : at * _WAYBILL] = name
        self._leaves[at * _HASH : at * _HASH] = hashed
        self._seqs.insert(at, seq)
        # All behind it have moved on by one.
        self._stale.update(range(at // TILE, count // TILE + 1))

    def tiles(self) -> list[Tile]:
        """Give the tiles as they are now."""
        for number in sorted(self._stale):
            tile = Tile(self._name(number * TILE).decode(), root(self._of(number)))
            self._tiles[number : number + 1] = [tile]
        self._stale.clear()
        return list(self._tiles)

    def waybills(self, tile: int) -> list[str]:
        """List whose leaves a tile has."""
        end = min((tile + 1) * TILE, len(self))
        return [self._name(at).decode() for at in range(tile * TILE, end)]

    def _name(self, at: int) -> bytes:
        return bytes(self._waybills[at * _WAYBILL : (at + 1) * _WAYBILL])

    def _of(self, tile: int) -> list[bytes]:
        end = min((tile + 1) * TILE, len(self)) * _HASH
        return [
            bytes(self._leaves[at : at + _HASH])
            for at in range(tile * TILE * _HASH, end, _HASH)
        ]
