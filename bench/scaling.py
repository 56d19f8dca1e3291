"""`make simulate`: academies under three rules that size a group of workers, and the rule that ships.

Simulated are instances, slots and tasks; assumed is what stands in capitals below. A task takes what was
measured (docs/benchmarks.md): a batch of ten units (80 s of lecture) 105 s in one of two slots, a page 3.5 s.
"""

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import ceil

from rules.scaling import Policy, Reading, decide

DAY = 86_400
BOOT = 120  # seconds from the order of an instance to its first task
SLOTS = 2
LECTURE_MINUTES = (60, 90)
BATCH_SECONDS, BATCH_LECTURE = 105.0, 80.0
SCAN_PAGES, PAGE_SECONDS = 20, 3.5
SCANS = 10  # of each academy on a Saturday, from 10 to 18 h
SEND_SECONDS = 5.0  # of a notice, each academy one, within ten minutes from 18 h on
TARGET = 450.0  # seconds of work for those who are there (ours)
QUIET = 2  # minutes (ours)
KEDA_TARGET, KEDA_EVERY, KEDA_WINDOW = 5, 30, 300  # tasks an instance; seconds


@dataclass
class Job:
    at: float
    left: int  # tasks
    seconds: float  # of each
    kind: str


@dataclass(eq=False)
class Instance:
    ready: float
    running: dict[int, tuple[Job, float]] = field(default_factory=dict)  # task → when it began
    gone: bool = False


@dataclass
class Outcome:
    minutes: float = 0  # of instances
    waits: list[float] = field(default_factory=list)
    done: dict[str, list[float]] = field(default_factory=dict)
    killed: int = 0
    lost: float = 0  # minutes of work that was killed


def jobs(academies: int, days: int, seed: int = 7) -> list[Job]:
    chance = random.Random(seed)
    found = []
    for day, _ in itertools.product(range(days), range(academies)):
        length = chance.uniform(*LECTURE_MINUTES) * 60
        at = day * DAY + chance.uniform(21, 23) * 3600
        found.append(Job(at, ceil(length / BATCH_LECTURE), BATCH_SECONDS, "lecture"))
        found.append(Job(day * DAY + chance.uniform(18, 18.17) * 3600, 1, SEND_SECONDS, "notice"))
        if day % 7 == days - 1:  # the last day is a Saturday
            for _ in range(SCANS):
                at = day * DAY + chance.uniform(10, 18) * 3600
                found.append(Job(at, 1, SCAN_PAGES * PAGE_SECONDS, "scan"))
    return sorted(found, key=lambda job: job.at)


class Fleet:
    """One group of instances and what it works on. `protected`: nobody goes who works."""

    def __init__(self, protected: bool) -> None:
        self.instances = [Instance(0)]
        self.waiting: deque[tuple[Job, float]] = deque()
        self.free: deque[Instance] = deque([self.instances[0]] * SLOTS)
        self.used = 0
        self.out = Outcome()
        self._protected = protected
        self._tasks = itertools.count()
        self._ends: list[tuple[float, int, Instance]] = []
        self._chance = random.Random(1)

    def until(self, now: float) -> None:
        """Everything that ends before `now`, and what begins then."""
        while self._ends and self._ends[0][0] <= now:
            ended, task, instance = heapq.heappop(self._ends)
            if instance.gone or task not in instance.running:
                continue
            job, _ = instance.running.pop(task)
            self.used -= 1
            job.left -= 1
            if not job.left:
                self.out.done.setdefault(job.kind, []).append(ended - job.at)
            self.free.append(instance)
            self.assign(ended)
        self.assign(now)

    def assign(self, now: float) -> None:
        for _ in range(len(self.free)):
            if not self.waiting:
                return
            instance = self.free.popleft()
            if instance.gone:
                continue
            if instance.ready > now:
                self.free.append(instance)
                continue
            job, since = self.waiting.popleft()
            task = next(self._tasks)
            instance.running[task] = (job, now)
            self.used += 1
            self.out.waits.append(now - since)
            heapq.heappush(self._ends, (now + job.seconds, task, instance))

    def resize(self, desired: int, now: float) -> None:
        for _ in range(desired - len(self.instances)):
            instance = Instance(now + BOOT)
            self.instances.append(instance)
            self.free.extend([instance] * SLOTS)
        going = len(self.instances) - desired
        if going > 0:
            idle = [each for each in self.instances if not each.running and each.ready <= now]
            chosen = idle if self._protected else self.instances
            for instance in self._chance.sample(chosen, min(going, len(chosen))):
                self._end(instance, now)
            self.instances = [each for each in self.instances if not each.gone]

    def _end(self, instance: Instance, now: float) -> None:
        instance.gone = True
        for job, began in instance.running.values():
            self.waiting.appendleft((job, now))
            self.out.killed += 1
            self.out.lost += (now - began) / 60
        self.used -= len(instance.running)
        instance.running.clear()


Rule = Callable[[Fleet, float], int]


def old_rule(most: int) -> Rule:
    """What waits is what is wanted: blind for what runs."""
    return lambda fleet, _now: max(1, min(most, len(fleet.waiting)))


def keda(most: int) -> Rule:
    recent: deque[int] = deque(maxlen=KEDA_WINDOW // KEDA_EVERY)

    def rule(fleet: Fleet, _now: float) -> int:
        recent.append(max(1, min(most, ceil(len(fleet.waiting) / KEDA_TARGET))))
        return max(recent)

    return rule


def ours(most: int) -> Rule:
    quiet = 0

    def rule(fleet: Fleet, now: float) -> int:
        nonlocal quiet
        size = len(fleet.instances)
        seconds = sum(job.seconds for job, _ in itertools.islice(fleet.waiting, 200))
        mean = seconds / min(200, len(fleet.waiting)) if fleet.waiting else BATCH_SECONDS
        policy = Policy(slots=SLOTS, task_seconds=mean, target_seconds=TARGET, quiet_ticks=QUIET, most=most)
        reading = Reading(
            backlog=len(fleet.waiting),
            used=fleet.used,
            desired=size,
            in_service=size,
            busy=sum(1 for each in fleet.instances if each.running),
            heard=sum(1 for each in fleet.instances if each.ready <= now),
        )
        decision = decide(reading, policy, quiet, size)
        quiet = decision.quiet
        return decision.desired

    return rule


def simulate(work: list[Job], rule: Rule, every: float, protected: bool) -> Outcome:
    fleet, arrivals = Fleet(protected), deque(work)
    for now in _ticks(every):
        while arrivals and arrivals[0].at <= now:
            job = arrivals.popleft()
            fleet.until(job.at)
            fleet.waiting.extend([(job, job.at)] * job.left)
            fleet.assign(job.at)
        fleet.until(now)
        fleet.out.minutes += len(fleet.instances) * every / 60
        fleet.resize(rule(fleet, now), now)
        if not (arrivals or fleet.waiting or fleet.used):
            return fleet.out
    raise AssertionError


def _ticks(every: float) -> Iterator[float]:
    return (n * every for n in itertools.count(1))


def p95(values: list[float]) -> float:
    return sorted(values)[int(0.95 * (len(values) - 1))] if values else 0.0


def main() -> None:
    head = ("academies", "days", "rule", "instance-min", "p95 wait", "p95 lecture", "killed", "min lost")
    print(("{:>9} {:>4} {:<22} {:>12} {:>9} {:>12} {:>7} {:>9}").format(*head))
    for academies, days in ((5, 7), (50, 7), (500, 1), (5000, 1)):
        most = max(4, academies)  # the same for all rules
        rules: list[tuple[str, Rule, float, bool]] = [
            ("old: backlog", old_rule(most), 60, False),
            ("KEDA: backlog / 5", keda(most), KEDA_EVERY, False),
            ("the same, none killed", keda(most), KEDA_EVERY, True),
            ("ours", ours(most), 60, True),
        ]
        if academies == 5000:
            del rules[0]  # it ends and begins more than it works, for hours
        for name, rule, every, protected in rules:
            out = simulate(jobs(academies, days), rule, every, protected)
            print(
                f"{academies:>9} {days:>4} {name:<22} {out.minutes:>12,.0f} {p95(out.waits) / 60:>7.1f} m"
                f" {p95(out.done['lecture']) / 60:>10.1f} m {out.killed:>7,} {out.lost:>9,.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
