"""What ties a method to the activity that it is."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, overload

from temporalio import activity

from contracts.activities import Activity
from contracts.base import Contract

Self = TypeVar("Self")
In = TypeVar("In", bound=Contract)
Out = TypeVar("Out")
Answer = Coroutine[Any, Any, Out]
Alone = Callable[[Self], Answer[Out]]
Method = Callable[[Self, In], Answer[Out]]


@overload
def implements(what: Activity[None, Out]) -> Callable[[Alone[Self, Out]], Alone[Self, Out]]: ...


@overload
def implements(what: Activity[In, Out]) -> Callable[[Method[Self, In, Out]], Method[Self, In, Out]]: ...


def implements(what: Activity[Any, Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Registers a method under the activity's name. One with another input or output does not pass mypy."""
    return activity.defn(name=what.name)
