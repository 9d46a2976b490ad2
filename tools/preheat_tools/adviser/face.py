"""How the reports look: one style, light and dark by the reader's setting, and no request to anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--line:#d1d9e0;--ground:#fff;--card:#f6f8fa;--own:#0757b8;
--other:#8c959f;--wait:#e0a458;--good:#116329}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#a5adb6;--line:#3d444d;--ground:#0d1117;--card:#161b22;
--own:#6cb0ff;--other:#6e7681;--wait:#b87a2c;--good:#56d364}}
body{font:16px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--ground);max-width:940px;margin:2rem auto;
padding:0 1rem}
h1{font-size:1.5rem;margin-bottom:.2rem;overflow-wrap:anywhere}h2{font-size:1.15rem;margin:2rem 0 .4rem}
.soft,figcaption,small{color:var(--soft)}
.verdict{background:var(--card);border-left:4px solid var(--own);padding:.8rem 1rem;font-size:1.15rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.93rem}
th,td{text-align:right;padding:.35rem .5rem;border-bottom:1px solid var(--line);vertical-align:top}
th:first-child,td:first-child,td.text,th.text{text-align:left}td.text{min-width:13rem}
tr.best td{font-weight:600;color:var(--good)}
pre{background:var(--card);padding:.7rem;white-space:pre-wrap;overflow-wrap:anywhere}
figure{margin:1rem 0}svg{width:100%;min-width:640px;height:auto}svg text{fill:var(--ink);font-size:13px}
svg .soft{fill:var(--soft)}.own{fill:var(--own)}.other{fill:var(--other)}.wait{fill:var(--wait)}
.strip{fill:var(--card);stroke:var(--line)}.mark{stroke:var(--ink);stroke-width:2}svg .strong{font-weight:600}
.gap{stroke:var(--ground);stroke-width:3}
"""


def document(title: str, parts: Sequence[str]) -> str:
    """One self-contained page; empty parts are left out."""
    head = (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{escape(title)}</title><style>{STYLE}</style><h1>{escape(title)}</h1>"
    )
    return "\n".join([head, *(part for part in parts if part)]) + "\n</html>\n"


def table(heads: Sequence[str], rows: Sequence[str], texts: Sequence[int] = ()) -> str:
    """A table that scrolls by itself where the page is narrow; `rows` are rows of HTML, `texts` columns of words."""
    head = "".join(f"<th{' class=text' if i in texts else ''}>{escape(name)}" for i, name in enumerate(heads))
    return f"<div class=scroll><table><tr>{head}</tr>{''.join(rows)}</table></div>"


def figure(width: int, height: int, marks: Sequence[str], caption: str) -> str:
    """A picture with its caption, which is also what a screen reader says."""
    label = escape(caption, quote=True)
    return (
        f"<figure><div class=scroll><svg viewBox='0 0 {width} {height}' role=img aria-label=\"{label}\">"
        f"{''.join(marks)}</svg></div><figcaption>{escape(caption)}</figcaption></figure>"
    )
