"""Apart from the other villains, whose children are many and have no use for what this one imports."""

from activities.ai.sandbox.task import Limits
from activities.ai.tasks.omr.task import Omr


class Hurried(Omr):
    """The real one, with little processor time and memory: for files that only limits stop. The clock on
    the wall has no part in it: beside other programs the good file takes long too."""

    limits = Limits(source_bytes=50 << 20, memory_bytes=1 << 30, cpu_seconds=2, wall_seconds=90)


HURRIED = Hurried()
