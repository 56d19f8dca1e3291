"""Every way a job can end badly: the code that code branches on, and the sentence that people read.

A code's state says who acts: REJECTED_BAD_INPUT the person who asked for the job, FAILED operators.
"""

from contracts.errors.ai import *  # noqa: F403
from contracts.errors.captions import *  # noqa: F403
from contracts.errors.jobs import *  # noqa: F403
from contracts.errors.messaging import *  # noqa: F403
from contracts.errors.reason import REASONS as REASONS
from contracts.errors.reason import Reason as Reason
from contracts.errors.reason import words_of as words_of
from contracts.errors.types import ErrorType as ErrorType
from contracts.errors.video import *  # noqa: F403
