"""Apart from the other villains, whose children are many and have no use for what this one imports."""

from activities.ai.sandbox.task import Limits
from activities.ai.tasks.omr.task import Omr


class Hurried(Omr):
    """The real one, with little time and memory: for files that only limits stop."""

    limits = Limits(source_bytes=50 << 20, memory_bytes=1 << 30, cpu_seconds=2, wall_seconds=9)


HURRIED = Hurried()
