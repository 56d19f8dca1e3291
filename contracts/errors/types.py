"""What an activity's failure is called where it ends no job: it is tried again, or done in another way."""

from enum import StrEnum


class ErrorType(StrEnum):
    ENCODER_CHANGED = "EncoderChanged"
    OTHER_ENCODER = "OtherEncoder"
    FFMPEG_KILLED = "FfmpegKilled"
    STALLED = "Stalled"
    DISK_FULL = "DiskFull"
    HOST_TROUBLE = "HostTrouble"
    SOURCE_DAMAGED = "SourceDamaged"
    LOST_RACE = "LostRace"
    STALE_EPOCH = "STALE_EPOCH"
    CUT_OFF = "CutOff"
    AMBIGUOUS_ADD = "AmbiguousAdd"
    UNPROVEN = "Unproven"
    PROVIDER_THROTTLED = "ProviderThrottled"
    PROVIDER_UNAVAILABLE = "ProviderUnavailable"
    PROVIDER_NOT_UNDERSTOOD = "ProviderNotUnderstood"
    PROVIDER_REFUSES = "ProviderRefuses"
    PROVIDER_REFUSES_CREDENTIALS = "ProviderRefusesCredentials"
    INTERFERED = "Interfered"
    TURN_OVER = "TurnOver"
    SOURCE_ELSEWHERE = "SourceElsewhere"
    NOT_DELIVERED = "NotDelivered"
