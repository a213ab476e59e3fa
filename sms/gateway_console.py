"""The gateway of a machine without one: texts are written down, not sent.

To standard output, or to a file of JSON lines that a demo page or a test can read.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from sms.errors import GatewayError
from sms.gateways import Answer, Outgoing
from sms.rules import AfterSilence
from sms.status import Status


class Console:
    """Writes each text on one line. What is written counts as delivered."""

    name = "console"
    can_look = False

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        # A file can be read again; nobody is harmed by a line seen twice.
        self.after_silence = AfterSilence.ASK if path else AfterSilence.REPEAT

    async def send(self, text: Outgoing) -> Answer:
        """Write the text down."""
        line = {
            "id": text.id,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "to": text.recipient,
            "template": text.template,
            "body": text.body,
        }
        try:
            await asyncio.to_thread(self._write, json.dumps(line, ensure_ascii=False))
        except OSError as fault:
            raise GatewayError(f"{self.path} cannot be written: {fault}") from fault
        return self._answer(text.id)

    async def find(
        self, text: Outgoing, since: datetime, taken: Collection[str]
    ) -> Answer | None:
        """Look for the text in the file."""
        start = f'{{"id": {text.id},'
        if self.path is None or not self.path.exists():
            return None
        written = await asyncio.to_thread(self.path.read_text, encoding="utf-8")
        found = any(line.startswith(start) for line in written.splitlines())
        return self._answer(text.id) if found else None

    async def look(self, provider_id: str) -> Answer:
        """Say what is true of every line that was written."""
        return Answer(provider_id, Status.DELIVERED, "written")

    async def close(self) -> None:
        """Do nothing: no file is kept open."""

    def _answer(self, message: int) -> Answer:
        return Answer(f"console-{message}", Status.DELIVERED, "written")

    def _write(self, line: str) -> None:
        if self.path is None:
            sys.stdout.write(f"SMS {line}\n")
            sys.stdout.flush()
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # One write of one line: several workers may append at the same time.
        with self.path.open("ab", buffering=0) as file:
            file.write(f"{line}\n".encode())
