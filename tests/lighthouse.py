"""How Lighthouse judges the pages that people open on phones: `make lighthouse`.

Starts the whole service with its demo in a temporary folder and looks at the scan page
of a carrier and at the page of a citizen as Lighthouse's slow phone does. Everything
stays on this machine: nothing is reported to anyone.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from playwright.sync_api import BrowserContext, sync_playwright

from postal_track.demo import PASSWORD
from postal_track.settings import ROOT
from postal_track.stack import Stack
from tests.shown import shown

LEAST = 95
CATEGORIES = ("performance", "accessibility", "best-practices")
CLI = ROOT / "var/lighthouse/node_modules/lighthouse/cli/index.js"
FLAGS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)


def main() -> int:
    """Start, look, stop; say what is below the least."""
    with shown() as (address, folder):
        return _judge(address, folder)


def _judge(address: str, folder: Path) -> int:
    session = httpx.post(
        f"{address}/api/sessions", json={"login": "buuta.an", "password": PASSWORD}
    ).raise_for_status()
    poor = 0
    citizens = f"/d/{_token(folder)}"
    with _browser(folder) as (context, port):
        poor += _print("/d/…", _report(address + citizens, port, folder))
        token = session.json()["token"]
        context.add_cookies([{"name": "session", "value": token, "url": address}])
        poor += _print("/scan", _report(f"{address}/scan", port, folder))
    return 1 if poor else 0


def _print(shown: str, report: dict[str, Any]) -> int:
    """Tell the scores and what cost them; count those below the least."""
    poor = 0
    for name in CATEGORIES:
        category = report["categories"][name]
        score = round(100 * (category["score"] or 0))
        poor += score < LEAST
        print(f"{shown:8} {name:16} {score:4}")
        for one in category["auditRefs"]:
            audit = report["audits"][one["id"]]
            if not one["weight"] or audit["score"] is None or audit["score"] >= 0.9:
                continue
            value = audit.get("displayValue", "")
            print(f"{'':10}{audit['score']:4} {audit['title']} {value}")
            for said in audit.get("details", {}).get("items", [])[:5]:
                print(f"{'':15}{said.get('description') or said.get('url', '')}")
    return poor


@contextmanager
def _browser(folder: Path) -> Iterator[tuple[BrowserContext, int]]:
    """Run a browser of our own, which Lighthouse is then shown by its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            folder / "profile",
            executable_path=shutil.which("chromium")
            or shutil.which("chromium-browser"),
            args=[*FLAGS, f"--remote-debugging-port={port}"],
        )
        yield context, port
        context.close()


def _report(url: str, port: int, folder: Path) -> dict[str, Any]:
    node = shutil.which("node") or str(ROOT / ".venv" / "node" / "bin" / "node")
    told = folder / "report.json"
    subprocess.run(
        [
            node,
            str(CLI),
            url,
            f"--port={port}",
            "--quiet",
            "--no-enable-error-reporting",
            "--output=json",
            f"--output-path={told}",
            f"--only-categories={','.join(CATEGORIES)}",
        ],
        check=True,
        cwd=ROOT,
    )
    report: dict[str, Any] = json.loads(told.read_text("utf-8"))
    return report


def _token(folder: Path) -> str:
    """Know the link of a citizen whose dossier is on its way."""

    async def ask() -> str:
        connection = await asyncpg.connect(dsn=Stack(folder / "var").postgres.url())
        try:
            token: str = await connection.fetchval(
                """
                SELECT d.token FROM dossier d JOIN item i ON i.dossier = d.id
                WHERE i.stage = 'out_for_delivery' ORDER BY d.id LIMIT 1
                """
            )
        finally:
            await connection.close()
        return token

    return asyncio.run(ask())


if __name__ == "__main__":
    sys.exit(main())
