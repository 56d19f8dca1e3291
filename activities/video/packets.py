"""Statistics of one stream's timestamps, gathered packet by packet in bounded memory. Pure."""

import heapq
from collections import defaultdict
from math import inf

LONG_GAP = 1.0  # seconds without a packet that are worth a look; a slide may legally stand for longer
_JUMP = 10.0  # seconds, as ffmpeg's `dts_delta_threshold`
_MANY = 10  # times rarer is no clock
_REORDER = 64  # packets come in decoding order; no codec reorders further than this


class TrackScan:
    """Seconds throughout. `start` and `end` enclose what is shown; gaps are between neighbours on screen."""

    def __init__(self) -> None:
        self.frames = 0
        self.start = inf
        self.end = -inf
        self.max_gap = 0.0
        self.max_keyframe_gap = 0.0
        self.gaps: list[tuple[float, float]] = []  # longer than LONG_GAP, in the order of the file
        self.predicted = False  # some are no keyframes
        self.jumps = False  # the clock goes back, or on by more than ffmpeg takes for a pause
        self.broken: list[tuple[float, float]] = []  # from a packet that came corrupt to the next keyframe
        self._broken_since: float | None = None
        self._last_keyframe = inf
        self._last = 0.0
        self._waiting: list[float] = []
        self._gaps: dict[int, list[float]] = defaultdict(lambda: [0, 0.0])  # by millisecond: number, sum

    def add(self, time: float, duration: float, flags: str) -> None:
        """One packet; `flags` are ffprobe's: K keyframe, D decoded but not shown (edit lists),
        C corrupt."""
        if "C" in flags:
            self._broken_since = time if self._broken_since is None else self._broken_since
        elif "K" in flags:
            self._mended(time)
        if "K" in flags:
            self.max_keyframe_gap = max(self.max_keyframe_gap, time - self._last_keyframe)
            self._last_keyframe = time
        else:
            self.predicted = True
        if "D" in flags:
            return
        if self.frames and time - self.end > LONG_GAP:
            self.gaps.append((self.end, time))
        self.jumps = self.jumps or (self.frames > 0 and not -LONG_GAP < time - self.end < _JUMP)
        self.frames += 1
        self.end = max(self.end, time + duration)
        heapq.heappush(self._waiting, time)
        if len(self._waiting) > _REORDER:
            self._shown(heapq.heappop(self._waiting))

    def finish(self) -> None:
        """After the last packet."""
        while self._waiting:
            self._shown(heapq.heappop(self._waiting))
        self._mended(self.end)
        if self.frames:
            self.max_keyframe_gap = max(self.max_keyframe_gap, self.end - self._last_keyframe)

    def _mended(self, time: float) -> None:
        if self._broken_since is not None and time > self._broken_since:
            self.broken.append((self._broken_since, time))
        self._broken_since = None

    def _shown(self, time: float) -> None:
        if self.start == inf:
            self.start = self._last = time
        gap = time - self._last
        if gap > 0:
            self._last = time
            self.max_gap = max(self.max_gap, gap)
            bucket = self._gaps[min(round(gap * 1000), 2000)]
            bucket[0] += 1
            bucket[1] += gap

    def rate(self) -> tuple[float, bool]:
        """Frames per second, and whether it is constant: at most 1 % of gaps off by more than half.

        The average over regular gaps when constant (a few dropped frames do not count). When variable that
        of the shortest gap that a tenth of all have, which is the clock of one with many dropped frames; else
        the average over all.
        """
        if not self._gaps:
            return 25.0, True
        total = sum(number for number, _ in self._gaps.values())
        seen = 0.0
        for millis in sorted(self._gaps):
            seen += self._gaps[millis][0]
            if seen * 2 >= total:
                median = self._gaps[millis][1] / self._gaps[millis][0]
                break
        regular = [
            bucket for bucket in self._gaps.values() if abs(bucket[1] / bucket[0] - median) <= median / 2
        ]
        number = sum(bucket[0] for bucket in regular)
        if total - number > max(1, total // 100):
            return self._clock(total) or total / (self._last - self.start), False
        return number / sum(bucket[1] for bucket in regular), True

    def _clock(self, total: float) -> float | None:
        """Frames per second that the shortest gaps would give, if they are alike and many."""
        many = [millis for millis, (number, _) in self._gaps.items() if number * _MANY >= total]
        if not many:
            return None
        alike = [self._gaps[near] for near in range(min(many) - 1, min(many) + 2) if near in self._gaps]
        return sum(number for number, _ in alike) / sum(length for _, length in alike)
