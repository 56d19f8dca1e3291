"""Every activity that workflows may ask for."""

from typing import Any

from contracts.activities import Activity, ai, messages, ops, video

REFERENCES: list[Activity[Any, Any]] = [
    each
    for module in (ai, messages, ops, video)
    for each in vars(module).values()
    if isinstance(each, Activity)
]
