"""The whole service with its demo, for those who look at its pages."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from postal_track.settings import ROOT


@contextmanager
def shown(**environment: str) -> Iterator[tuple[str, Path]]:
    """Run it in a temporary folder: its address, and the folder, its data in `var`."""
    folder = Path(tempfile.mkdtemp(prefix="postal-track-shown-"))
    folder.chmod(0o755)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    child = subprocess.Popen(
        [sys.executable, "-m", "postal_track", "run"],
        cwd=ROOT,
        env=os.environ
        | environment
        | {"VAR_DIR": str(folder / "var"), "PORT": str(port)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        # Once it says where to look, the demo is there, too.
        if not any("Worth opening" in line for line in child.stdout or ()):
            raise SystemExit("The service did not start.")
        yield f"http://localhost:{port}", folder
    finally:
        child.send_signal(signal.SIGINT)
        child.wait()
        shutil.rmtree(folder)
