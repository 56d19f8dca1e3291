"""From what one job costs to what so many academies need. Arithmetic; what is assumed stands in capitals.

Hosts have two processors, as the machine of the measurement. A day of an academy is that of `bench.scaling`,
with the texts of its pupils' coming and going beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from math import ceil

ACADEMIES = (5, 50, 500, 5000)
DAYS = 26  # of lessons, a month

LECTURE_MINUTES = 75.0  # one lecture a day
PUPILS = 100  # two texts a day each (came, went), and all in one notice
PAGES_A_MONTH = 10 * 20 * 4  # ten scans of twenty pages each Saturday
# The share of a day's work that falls into its busiest hour.
LECTURES_IN_AN_HOUR, TEXTS_IN_AN_HOUR, NOTICES_IN_AN_HOUR, PAGES_IN_AN_HOUR = 0.5, 0.4, 1.0, 0.125

CORES = 2
BUSY = 0.7  # of a host's processors, at most, in its busiest hour
HOURS = 730  # of a month, in which a host that is always there is paid for

# List prices as they were known in 2026, to be looked up again before anybody budgets by them: won.
WON_A_DOLLAR = 1400.0
HOST_DOLLARS = 0.1  # an hour of two processors, on demand
WRITE_DOLLARS, READ_DOLLARS = 4.5e-6, 0.36e-6  # a request of R2, class A and B

# What one server of a kind is known or set to bear; the first that is passed is what breaks first.
PROVIDER_RATE = 50.0  # requests a second, SOLAPI_REQUESTS_PER_SECOND
TRANSITIONS_RATE = 1000.0  # a second, a Temporal on one Postgres of two processors, as has been published
COMMITS_RATE = 3000.0  # a second, one Postgres of a few processors with an ordinary disk
CONNECTIONS = 500.0  # max_connections of such a server


class Work(StrEnum):
    """What is counted in jobs, and what in parts of one."""

    LECTURE = "lecture"  # what does not depend on its length
    LECTURE_MINUTE = "minute of a lecture"
    PAGE = "page read"
    TEXT = "text to one"
    RECIPIENT = "recipient of a list"


@dataclass(frozen=True)
class Cost:
    """What a piece of work asks of everybody."""

    cpu: float = 0  # seconds, of ours and of the programs that we start
    transitions: float = 0  # of state, in Temporal
    events: float = 0  # of workflow histories
    beats: float = 0  # heartbeats that reach Temporal
    commits: float = 0  # in Postgres
    rows: float = 0  # inserted, changed or removed there
    writes: float = 0  # requests to the object store that cost as PUT does
    reads: float = 0
    provider: float = 0  # requests to the texts' provider

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(*(getattr(self, each) + getattr(other, each) for each in NAMES))

    def times(self, factor: float) -> "Cost":
        return Cost(*(getattr(self, each) * factor for each in NAMES))

    def without(self, other: "Cost") -> "Cost":
        """What is left; noise does not make it less than nothing."""
        return Cost(*(max(0.0, getattr(self, each) - getattr(other, each)) for each in NAMES))


NAMES = tuple(each.name for each in fields(Cost))


@dataclass(frozen=True)
class Needs:
    """Of so many academies: a second of the busiest hour, and a month."""

    academies: int
    hosts: int
    rates: Cost
    month: Cost
    connections: int
    won: float

    def first_to_break(self) -> list[tuple[str, float]]:
        """What is asked of each server ÷ what one bears, the worst first."""
        shares = {
            "provider's requests": self.rates.provider / PROVIDER_RATE,
            "Temporal's transitions": self.rates.transitions / TRANSITIONS_RATE,
            "Postgres' commits": self.rates.commits / COMMITS_RATE,
            "Postgres' connections": self.connections / CONNECTIONS,
        }
        return sorted(shares.items(), key=lambda each: -each[1])


def needs(academies: int, costs: Mapping[Work, Cost], pool: int) -> Needs:
    """`pool`: connections of a process to Postgres, at most (DB_POOL_SIZE)."""
    lecture = costs[Work.LECTURE] + costs[Work.LECTURE_MINUTE].times(LECTURE_MINUTES)
    texts, notice = costs[Work.TEXT].times(2 * PUPILS), costs[Work.RECIPIENT].times(PUPILS)
    day = lecture + texts + notice
    # The busiest hour of each kind of worker, as if all fell together.
    encoding = lecture.times(LECTURES_IN_AN_HOUR)
    reading = costs[Work.PAGE].times(PAGES_A_MONTH / 4 * PAGES_IN_AN_HOUR)
    sending = texts.times(TEXTS_IN_AN_HOUR) + notice.times(NOTICES_IN_AN_HOUR)
    hosts = 2 + sum(  # two for bridge, API and ops workers, so that one can be away
        max(1, ceil(each.cpu * academies / 3600 / CORES / BUSY)) for each in (encoding, reading, sending)
    )
    busiest = (encoding + reading + sending).times(academies / 3600)
    month = (day.times(DAYS) + costs[Work.PAGE].times(PAGES_A_MONTH)).times(academies)
    # Encoders come and go with the work (`rules.scaling`): their work is paid for; the rest is always there.
    encoders = max(1, ceil(encoding.cpu * academies / 3600 / CORES / BUSY))
    encoding_hours = lecture.times(DAYS * academies).cpu / 3600 / CORES / BUSY
    always = hosts - encoders + 1
    dollars = (encoding_hours + always * HOURS) * HOST_DOLLARS
    dollars += month.writes * WRITE_DOLLARS + month.reads * READ_DOLLARS
    return Needs(academies, hosts, busiest, month, (hosts + 2) * pool, dollars * WON_A_DOLLAR)


def show(costs: Mapping[Work, Cost], idle: Cost, pool: int) -> None:
    print(f"\n{'each':<24}" + "".join(f"{name:>12}" for name in NAMES))
    for work, cost in costs.items():
        print(f"{work:<24}" + "".join(f"{getattr(cost, name):>12.3g}" for name in NAMES))
    print(f"{'at rest, an hour':<24}" + "".join(f"{getattr(idle, name) * 3600:>12.3g}" for name in NAMES))
    head = ("academies", "hosts", "transitions/s", "commits/s", "provider/s", "rows/month", "writes", "reads")
    print("\n" + "".join(f"{each:>14}" for each in (*head, "connections", "won/month")))
    for each in (needs(academies, costs, pool) for academies in ACADEMIES):
        rates = (each.rates.transitions, each.rates.commits, each.rates.provider)
        month = (each.month.rows, each.month.writes, each.month.reads, each.connections, each.won)
        print(
            f"{each.academies:>14,}{each.hosts:>14,}"
            + "".join(f"{rate:>14,.1f}" for rate in rates)
            + "".join(f"{count:>14,.0f}" for count in month)
        )
        worst = (f"{name} {share:.0%}" for name, share in each.first_to_break()[:3])
        print(f"{'':>14}of what one bears: {', '.join(worst)}", flush=True)
