"""Months of Korea's calendar. Pure."""

from datetime import datetime, timedelta

from rules.quiet_hours import KST


def month_of(at: datetime) -> datetime:
    """When the month began that a moment lies in."""
    return at.astimezone(KST).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def before(begin: datetime, months: int) -> datetime:
    """When the month began that lies so many months before one."""
    for _ in range(months):
        begin = month_of(begin - timedelta(days=1))
    return begin


def after(begin: datetime) -> datetime:
    """When the month begins that follows one."""
    return month_of(begin + timedelta(days=32))
