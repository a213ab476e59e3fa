"""The shell of the app: every file that a page loads, under one version.

The version is a digest of what is in the files, so that a page and its scripts are
always of one piece: ``/v/<version>/js/scan.js`` never changes, and may be kept for
ever. Knows no page and no phone.
"""

import hashlib
import posixpath
import re
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
STATIC = HERE / "static"
PACKAGES = HERE.parent / "node_modules"
LOOK_AGAIN_S = 1.0

TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".wasm": "application/wasm",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
WORKER = "js/service-worker.js"
_PACKAGED = re.compile(r'"/npm/([^"]+)"')
_REMARK = re.compile(rb"/\*.*?\*/", re.DOTALL)
_IMPORTED = re.compile(r'(?:from|import)\s*"(\.[^"]+)"')


@dataclass(frozen=True, slots=True)
class Shell:
    """All files of one version, by their path under ``static``.

    ``packaged`` are the addresses of what our scripts take from npm packages, with
    their digests; ``stamp`` tells whether a file was touched since.
    """

    version: str
    files: dict[str, bytes]
    packaged: dict[str, str]
    stamp: tuple[tuple[str, int, int], ...]

    def address(self, path: str) -> str:
        """Say where a file under ``/static/`` is served in this very version."""
        return f"/v/{self.version}/{path.removeprefix('/static/')}"

    def modules(self, path: str) -> list[str]:
        """List a script and all that it imports, so that a page asks for them at once.

        A browser would else find them one by one, each only in the one before.
        """
        found: dict[str, None] = {}
        open_ = [path.removeprefix("/static/")]
        while open_:
            name = open_.pop(0)
            if name in found or name not in self.files:
                continue
            found[name] = None
            beside = _IMPORTED.findall(self.files[name].decode())
            open_ += [posixpath.normpath(f"{name}/../{each}") for each in beside]
        return [self.address(name) for name in found]

    def precached(self) -> list[tuple[str, str]]:
        """List what a phone keeps: each address, with the digest it must have.

        In one order whoever is asked, or each process would offer a version of its own.
        """
        own = [
            (self.address(path), digest(content))
            for path, content in self.files.items()
            if path != WORKER
        ]
        return sorted(own + list(self.packaged.items()))


def digest(content: bytes) -> str:
    """Say what a browser checks a file by (Subresource Integrity)."""
    return "sha256-" + b64encode(hashlib.sha256(content).digest()).decode()


_current: Shell | None = None
_looked = 0.0


def shell() -> Shell:
    """Give the files as they are now, read once for as long as nobody touches them."""
    global _current, _looked
    now = time.monotonic()
    if _current is not None and now - _looked < LOOK_AGAIN_S:
        return _current
    stamp = tuple(_stamps())
    if _current is None or stamp != _current.stamp:
        _current = _read(stamp)
    _looked = now
    return _current


def _paths() -> list[Path]:
    return sorted(path for path in STATIC.rglob("*") if path.suffix in TYPES)


def _stamps() -> Iterator[tuple[str, int, int]]:
    for path in _paths():
        found = path.stat()
        yield str(path), found.st_mtime_ns, found.st_size


def _read(stamp: tuple[tuple[str, int, int], ...]) -> Shell:
    files = {path.relative_to(STATIC).as_posix(): _served(path) for path in _paths()}
    whole = hashlib.sha256()
    for name, content in files.items():
        whole.update(f"{name}\0{len(content)}\0".encode() + content)
    packaged = _packages(tuple(files[name].decode() for name in files if ".js" in name))
    whole.update(repr(sorted(packaged.items())).encode())
    return Shell(whole.hexdigest()[:12], files, packaged, stamp)


def _served(path: Path) -> bytes:
    """Give a file as it travels: what a style sheet says to its writers stays here."""
    content = path.read_bytes()
    return _REMARK.sub(b"", content) if path.suffix == ".css" else content


@cache
def _packages(scripts: tuple[str, ...]) -> dict[str, str]:
    """Find what our scripts name under ``/npm/``, and what those files import.

    A name that ends in a slash is a folder of WebAssembly.
    """
    open_ = {PACKAGES / name for text in scripts for name in _PACKAGED.findall(text)}
    found: dict[str, str] = {}
    while open_:
        path = open_.pop()
        if path.is_dir():
            open_ |= set(path.glob("*.wasm"))
            continue
        address = f"/npm/{path.relative_to(PACKAGES).as_posix()}"
        if address in found or not path.is_file():
            continue
        content = path.read_bytes()
        found[address] = digest(content)
        if path.suffix in (".js", ".mjs"):
            beside = _IMPORTED.findall(content.decode())
            open_ |= {(path.parent / name).resolve() for name in beside}
    return found
