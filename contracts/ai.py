"""AI jobs: a file in units, or one call of a model or of the database."""

from contracts.base import Contract
from contracts.jobs import JobOutcome, JobRef


class AiInput(Contract):
    """The `ai.job` workflow. `plan` and `next_unit` are where it goes on after a continue-as-new."""

    job: JobRef
    tier: str = "basic"
    plan: "AiPlan | None" = None
    next_unit: int = 0


class AiPlan(Contract):
    """A job that can be worked on, or why it cannot.

    Results of units are immutable objects below `prefix`, which names the file's content, the task, its
    version and its parameters: whoever plans the same again finds them. Without units the job is one call.
    `lacks_model`: no server is configured for it yet. `erase`: what lies below `prefix` goes with the job.
    """

    units: int = 0
    prefix: str = ""
    fallback: bool = False
    lacks_model: bool = False
    erase: bool = False
    refusal: JobOutcome | None = None


class UnitsInput(Contract):
    """Units `first` to `last`, both included, counted from 0."""

    job: JobRef
    plan: AiPlan
    first: int
    last: int


class UnitsDone(Contract):
    """How many were computed, and how many were found finished."""

    computed: int
    found: int


class PlannedJob(Contract):
    """A job with its plan, to be assembled or called."""

    job: JobRef
    plan: AiPlan


class Delivery(Contract):
    """What is told to the submitting system when a job has ended."""

    job: JobRef
    outcome: JobOutcome
