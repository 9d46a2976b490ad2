"""Headless Chromium, for what people look at."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
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
LIGHT, DARK = "--blink-settings=preferredColorScheme=1", "--blink-settings=preferredColorScheme=0"
NO_FETCH = (
    "<meta http-equiv=Content-Security-Policy "
    "content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">"
)
FAINT = """
const parts = colour => (colour.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
const light = rgb => rgb.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const ground = at => {
  for (; at; at = at.parentElement) {
    const [r, g, b, a = 1] = parts(getComputedStyle(at).backgroundColor);
    if (a > 0) return [r, g, b];
  }
  return [255, 255, 255];
};
const faint = [], seen = new Set();
for (const one of document.body.querySelectorAll("*")) {
  const text = [...one.childNodes].filter(n => n.nodeType === 3).map(n => n.data.trim()).join(" ").trim();
  const style = getComputedStyle(one);
  if (!text || /^(script|style|title)$/i.test(one.tagName) || style.visibility === "hidden") continue;
  const ink = parts(one instanceof SVGElement ? style.fill : style.color).slice(0, 3);
  const [high, low] = [light(ink), light(ground(one))].sort((a, b) => b - a);
  seen.add(one.tagName.toLowerCase());
  if ((high + 0.05) / (low + 0.05) < 4.5) faint.push(`${one.tagName} ${text.slice(0, 40)}`);
}
const told = document.createElement("template");
told.id = "told";
told.setAttribute("data-told", JSON.stringify({faint, seen: [...seen]}));
document.body.append(told);
"""
"""Elements with text of their own whose computed colour has less than WCAG's contrast of 4.5 to what is behind them;
coloured shapes of a picture under its text are not looked at."""


def complaints(page: Path, profile: Path) -> list[str]:
    """What the console says while the page is loaded under a policy that allows no fetch, so that one is said there."""
    doctype, rest = page.read_text(encoding="utf-8").split(">", 1)
    alone = page.with_name(f"alone-{page.name}")
    alone.write_text(f"{doctype}>{NO_FETCH}{rest}", encoding="utf-8")
    said = _run(alone, profile, "--dump-dom", "--enable-logging=stderr").stderr
    return [line for line in said.splitlines() if ":CONSOLE" in line]


def faint(page: Path, profile: Path, *, dark: bool) -> tuple[list[str], set[str]]:
    """Text that stands out too little, as the browser colours it, and the kinds of elements that were looked at."""
    looked_at = page.with_name(f"looked-at-{page.name}")
    looked_at.write_text(page.read_text(encoding="utf-8") + f"<script>{FAINT}</script>", encoding="utf-8")
    shown = _run(looked_at, profile, "--dump-dom", DARK if dark else LIGHT).stdout
    told = re.search(r'data-told="([^"]*)"', shown)
    assert told, "the page's script did not run"
    found = json.loads(unescape(told[1]))
    return found["faint"], set(found["seen"])


ASTRAY = """
const overlapping = [], cut = [];
for (const svg of document.querySelectorAll("svg")) {
  const boxes = [...svg.querySelectorAll("text")].map(text => [text.textContent, text.getBBox()]);
  const {width, height} = svg.viewBox.baseVal;
  boxes.forEach(([name, a], i) => {
    if (a.x < -1 || a.y < -1 || a.x + a.width > width + 1 || a.y + a.height > height + 1) cut.push(name);
    for (const [other, b] of boxes.slice(i + 1)) {
      const across = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
      const down = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
      if (across > 1 && down > 3) overlapping.push(`${name} / ${other}`);
    }
  });
}
const wide = document.documentElement.scrollWidth > innerWidth ? ["the page"] : [];
const told = document.createElement("template");
told.id = "told";
told.setAttribute("data-told", JSON.stringify({overlapping, cut, wide}));
document.body.append(told);
"""
"""Texts of pictures that lie on one another or are cut off at the picture's edge, and whether the page is wider than
the window."""


def astray(page: Path, profile: Path, *, width: int) -> dict[str, list[str]]:
    """What of the page's layout is wrong in a window so wide, by kind: all empty of a sound page."""
    looked_at = page.with_name(f"laid-out-{page.name}")
    looked_at.write_text(page.read_text(encoding="utf-8") + f"<script>{ASTRAY}</script>", encoding="utf-8")
    shown = _run(looked_at, profile, "--dump-dom", f"--window-size={width},1100").stdout
    told = re.search(r'data-told="([^"]*)"', shown)
    assert told, "the page's script did not run"
    found: dict[str, list[str]] = json.loads(unescape(told[1]))
    return found


def document(page: Path, profile: Path) -> str:
    """The page's document after it was loaded and laid out."""
    return _run(page, profile, "--dump-dom").stdout


def picture(page: Path, profile: Path, into: Path, *, dark: bool) -> bytes:
    """A screenshot of the page, as PNG."""
    _run(page, profile, f"--screenshot={into}", "--window-size=1000,1100", DARK if dark else LIGHT)
    return into.read_bytes()


def _run(page: Path, profile: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [str(CHROMIUM), *QUIET, f"--user-data-dir={profile}", *options, page.resolve().as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
