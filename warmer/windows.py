"""Calendar windows as a person writes them: `mon-fri 08:00-18:00@Europe/Berlin 5`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from warmer.policy.values import Window

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MIN = 24 * 60
FORM = "days hh:mm-hh:mm[@zone] floor, as in `mon-fri 08:00-18:00@Europe/Berlin 5`"
_SHAPE = re.compile(r"(\S+) (\d\d):(\d\d)-(\d\d):(\d\d)(?:@(\S+))? (\d{1,5})")


def parse_window(text: str, now_s: float) -> tuple[Window, ...]:
    """The UTC windows that `text` comes to under the zone's offset at `now_s`; raises ValueError.

    One that ends before it begins runs over midnight; one that crosses midnight in UTC comes back in two parts.
    """
    if not (shape := _SHAPE.fullmatch(text.strip().lower() if "@" not in text else _keep_zone(text.strip()))):
        raise ValueError(f"must be {FORM}")
    days, from_h, from_m, until_h, until_m, zone, floor = shape.groups()
    start, end = int(from_h) * 60 + int(from_m), int(until_h) * 60 + int(until_m)
    if start >= DAY_MIN or end > DAY_MIN or int(from_m) > 59 or int(until_m) > 59:
        raise ValueError("must have times from 00:00 to 24:00")
    if end <= start:
        end += DAY_MIN
    offset_min = _offset_min(zone, now_s) if zone else 0
    return tuple(_split(_days(days), start - offset_min, end - offset_min, int(floor)))


def _keep_zone(text: str) -> str:
    head, _, tail = text.partition("@")
    return f"{head.lower()}@{tail}"


def _days(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split("+"):
        first, _, last = part.partition("-")
        if first not in DAYS or (last or first) not in DAYS:
            raise ValueError(f"must name days {', '.join(DAYS)}, ranges as mon-fri, joined by +")
        start, end = DAYS.index(first), DAYS.index(last or first)
        found |= {day % 7 for day in range(start, end + 1 if end >= start else end + 8)}
    return frozenset(found)


def _offset_min(zone: str, now_s: float) -> int:
    try:
        offset = datetime.fromtimestamp(now_s, UTC).astimezone(ZoneInfo(zone)).utcoffset()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"must name an IANA time zone after @, such as Europe/Berlin; not {zone}") from None
    return int(offset.total_seconds() // 60) if offset else 0


def _split(days: frozenset[int], start: int, end: int, floor: int) -> Iterator[Window]:
    """Cut [start, end), minutes from midnight UTC of `days`, at each midnight."""
    while start < end:
        shift = start // DAY_MIN
        cut = min(end, (shift + 1) * DAY_MIN)
        moved = frozenset((day + shift) % 7 for day in days)
        yield Window(
            days=moved, from_minute=start - shift * DAY_MIN, until_minute=cut - shift * DAY_MIN, floor=floor
        )
        start = cut
