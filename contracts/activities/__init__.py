"""Every activity: its name, input, output and limits, once. Workflows ask for them by `workflows.steps.run`,
`activities.implements` ties a method to one; mypy compares both sides."""

from contracts.activities.reference import Activity as Activity
from contracts.activities.reference import Retry as Retry
