"""Load on loopback: requests written beforehand, sent by connections that never rest.

By `wrk` where there is one; else by a small client of our own, which takes more of the
machine from what it measures. Knows nothing of what is asked.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

CONNECTIONS = 16
THREADS = 2
SCRIPT = Path(__file__).with_name("bench_wrk.lua")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of it: answers a second, and milliseconds that one took."""

    requests: int
    failed: int
    per_second: float
    p50: float
    p99: float


def request(
    method: str, path: str, token: str = "", body: bytes = b"", kind: str = ""
) -> bytes:
    """Write one request as it goes over the wire."""
    head = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    if token:
        head.append(f"Authorization: Bearer {token}")
    if body:
        head += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, "", ""]).encode() + body


def client() -> str:
    """Name what sends."""
    return "wrk" if shutil.which("wrk") else "our own client"


async def load(
    port: int,
    requests: Sequence[bytes],
    seconds: float,
    folder: Path,
    again: bool = False,
) -> Loaded:
    """Send for so long, or until each was sent once; `again`: over and over."""
    if shutil.which("wrk"):
        return await _by_wrk(port, requests, seconds, folder, again)
    return await _by_ourselves(port, requests, seconds, again)


async def _by_wrk(
    port: int, requests: Sequence[bytes], seconds: float, folder: Path, again: bool
) -> Loaded:
    written = folder / "requests"
    with written.open("wb") as file:
        for one in requests:
            file.write(b"%d\n%b" % (len(one), one))
    ran = await asyncio.create_subprocess_exec(
        *("wrk", "--threads", str(THREADS), "--connections", str(CONNECTIONS)),
        *("--duration", f"{seconds:.0f}s", "--timeout", "60s"),
        *("--script", str(SCRIPT)),
        *(f"http://127.0.0.1:{port}", "--", str(written)),
        *("again" if again else "once", str(THREADS)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await ran.communicate()
    if ran.returncode != 0:
        raise RuntimeError(f"wrk failed: {said.decode()}")
    told = json.loads(said.splitlines()[-1])
    return Loaded(
        requests=told["requests"],
        failed=told["failed"],
        per_second=told["requests"] / told["seconds"],
        p50=told["p50"],
        p99=told["p99"],
    )


async def _by_ourselves(
    port: int, requests: Sequence[bytes], seconds: float, again: bool
) -> Loaded:
    rest = _over_and_over(requests) if again else iter(requests)
    deadline = time.perf_counter() + seconds
    took: list[float] = []
    bad: list[bytes] = []
    begun = time.perf_counter()

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for each in rest:
            sent = time.perf_counter()
            if sent > deadline:
                break
            writer.write(each)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(_length(head))
            took.append(time.perf_counter() - sent)
            if not head.startswith(b"HTTP/1.1 2"):
                bad.append(head)
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    spent = time.perf_counter() - begun
    hundredths = quantiles(took, n=100)
    return Loaded(
        requests=len(took),
        failed=len(bad),
        per_second=len(took) / spent,
        p50=hundredths[49] * 1000,
        p99=hundredths[98] * 1000,
    )


def _over_and_over(requests: Sequence[bytes]) -> Iterator[bytes]:
    while True:
        yield from requests


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    raise ValueError("an answer without a length")
