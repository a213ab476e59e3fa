"""A bad network on loopback: stands between a browser and our server and misbehaves.

Passes requests on, one connection each, unless told a fault for `POST /api/scans`:
what the phone then hears is not what the server did.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

SCANS = "POST /api/scans "

FAULTS = (
    "500",  # the server falls ill before it has written anything
    "502",  # a gateway's own page, after the server has written
    "413",  # a gateway finds the list too large
    "429",  # come back later, in an hour
    "portal",  # a network's own page, as if all were well
    "half",  # the answer breaks off in the middle
    "fewer",  # the answer leaves out every other outcome
    "lost",  # the server has written; its answer never comes
    "hang",  # the same, and the line stays open
)


@dataclass
class FaultProxy:
    """Where it listens, what it does to lists of scans, and which it has seen."""

    port: int
    upstream: str
    fault: str = ""
    lists: list[list[str]] = field(default_factory=list)
    worker: bytes = b""  # put behind /sw.js: a new version
    _hanging: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return f"http://127.0.0.1:{self.port}"

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Carry one request and its answer."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await self._carry(reader, writer)
        writer.close()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lines = head.split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if not head.startswith(SCANS):
            answer = await self._ask(lines, body)
            if head.startswith("GET /sw.js ") and self.worker:
                answer = _with_body(answer, _body(answer) + self.worker)
            writer.write(answer)
            return await writer.drain()
        self.lists.append([each["id"] for each in json.loads(body)["scans"]])
        writer.write(await self._faulty(self.fault, lines, body))
        return await writer.drain()

    async def _faulty(self, fault: str, lines: list[str], body: bytes) -> bytes:
        if fault == "500":
            return _plain(500, '{"error": "ServerFault", "detail": "x"}')
        if fault == "413":
            return _plain(413, "<h1>Request Entity Too Large</h1>")
        if fault == "429":
            return _plain(429, '{"error": "TooOften", "detail": "x"}', 3600)
        if fault == "portal":
            return _plain(200, "<h1>Free Wi-Fi</h1>")
        answer = await self._ask(lines, body)
        if fault == "502":
            return _plain(502, "<h1>Bad Gateway</h1>")
        if fault == "half":
            return answer[: len(answer) - len(_body(answer)) // 2]
        if fault == "fewer":
            told = json.loads(_body(answer))
            told["outcomes"] = told["outcomes"][::2]
            return _with_body(answer, json.dumps(told).encode())
        if fault == "hang":
            await self._hanging.wait()
        return b"" if fault in ("lost", "hang") else answer

    async def _ask(self, lines: list[str], body: bytes) -> bytes:
        """Ask the server; a whole answer, read to the end of the line."""
        there = urlsplit(self.upstream)
        reader, writer = await asyncio.open_connection(there.hostname, there.port)
        kept = [
            line
            for line in lines[1:]
            if line and not line.lower().startswith(("connection:", "accept-encoding:"))
        ]
        asked = [lines[0], *kept, "Connection: close", "", ""]
        writer.write("\r\n".join(asked).encode("latin-1") + body)
        await writer.drain()
        answer = await reader.read()
        writer.close()
        return answer

    def let_go(self) -> None:
        """End what hangs."""
        self._hanging.set()


def _body(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def _with_body(answer: bytes, body: bytes) -> bytes:
    """Give an answer another body."""
    head = answer.partition(b"\r\n\r\n")[0].split(b"\r\n")
    kept = [line for line in head if not line.lower().startswith(b"content-length:")]
    size = b"Content-Length: %d" % len(body)
    return b"\r\n".join([*kept, size, b"", b""]) + body


def _plain(status: int, text: str, after: int = 0) -> bytes:
    kind = "application/json" if text.startswith("{") else "text/html"
    later = f"Retry-After: {after}\r\n" if after else ""
    return (
        f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\n{later}"
        f"Content-Length: {len(text)}\r\nConnection: close\r\n\r\n{text}"
    ).encode()


@contextlib.asynccontextmanager
async def proxied(upstream: str) -> AsyncIterator[FaultProxy]:
    """Listen before a server for as long as the block lasts."""
    proxy = FaultProxy(0, upstream)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        proxy.let_go()
        server.close()
