"""Headless Chromium, for what people look at."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def document(page: Path, profile: Path) -> str:
    """The page's document after it was loaded and laid out."""
    return _run(page, profile, "--dump-dom").stdout


def picture(page: Path, profile: Path, into: Path, *, dark: bool) -> bytes:
    """A screenshot of the page, as PNG."""
    scheme = (
        ("--blink-settings=preferredColorScheme=0",) if dark else ("--blink-settings=preferredColorScheme=1",)
    )
    _run(page, profile, f"--screenshot={into}", "--window-size=1000,1100", *scheme)
    return into.read_bytes()


def _run(page: Path, profile: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [str(CHROMIUM), *QUIET, f"--user-data-dir={profile}", *options, page.resolve().as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
