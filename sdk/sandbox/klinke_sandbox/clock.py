"""Instants as milliseconds since 1970 UTC, and the ways the vendors print them."""
import re
import time
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

MINUTE = 60_000
DAY = 86_400_000
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
DATE_ONLY = re.compile(r"\d{4}-\d\d-\d\d\Z")


def real_ms():
    return time.time_ns() // 1_000_000


def at(ms, zone="UTC"):
    return (EPOCH + timedelta(milliseconds=ms)).astimezone(ZoneInfo(zone))


def to_ms(moment):
    return (moment - EPOCH) // timedelta(milliseconds=1)


def parse(text):
    """ISO 8601, without an offset read as UTC. ValueError otherwise."""
    if not isinstance(text, str):
        raise ValueError("not a text")
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return to_ms(moment)


def iso(ms, zone="UTC"):
    """2027-03-30T07:00:00.000Z, or with the zone's offset: 2027-03-30T09:00:00.000+02:00."""
    text = at(ms, zone).isoformat(timespec="milliseconds")
    return text[:-6] + "Z" if zone == "UTC" else text


def iso_seconds(ms, zone="UTC"):
    text = at(ms, zone).isoformat(timespec="seconds")
    return text[:-6] + "Z" if zone == "UTC" else text


def is_zone(name):
    try:
        ZoneInfo(name)
        return bool(name)
    except Exception:  # ZoneInfo raises several unrelated kinds for bad names
        return False
