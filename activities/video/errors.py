"""What an activity of ours reports to Temporal: the code as type, the plain sentence as message."""

from collections.abc import Iterator
from contextlib import contextmanager

from temporalio.exceptions import ApplicationError

from activities.host.trouble import HostTrouble
from activities.video.ffmpeg import FfmpegFailed
from activities.video.probe import MediaError
from clients.objects import ObjectChanged, ObjectMissing
from contracts.errors import CODEC_NOT_SUPPORTED, REASONS, SOURCE_CHANGED, SOURCE_MISSING, ErrorType


def final(code: str, told: str = "") -> ApplicationError:
    """The job cannot succeed, however often it is tried. `told` follows the sentence."""
    return ApplicationError(REASONS[code].en + told, type=code, non_retryable=True)


@contextmanager
def media_errors() -> Iterator[None]:
    """Turn what the media layer and the store raise into errors that the workflow understands."""
    try:
        yield
    except MediaError as error:
        told = f": {error.detail}" if error.code == CODEC_NOT_SUPPORTED else ""
        raise final(error.code, told) from error
    except ObjectMissing as error:
        raise final(SOURCE_MISSING) from error
    except ObjectChanged as error:
        raise final(SOURCE_CHANGED) from error
    except HostTrouble as error:
        raise ApplicationError(str(error), type=error.kind) from error
    except FfmpegFailed as error:
        # A crash, which may have been the machine's.
        raise ApplicationError("ffmpeg was killed", type=ErrorType.FFMPEG_KILLED) from error
