"""Live progress, for display only."""

from contracts.base import Contract

# name, what a teacher reads, the percentage of the whole job at which it begins
VIDEO_STEPS = (("probe", "영상 확인", 0), ("encode", "영상 변환", 5), ("publish", "게시 준비", 95))
TRIM_STEPS = (("cut", "영상 자르기", 0), ("publish", "게시 준비", 95))
MESSAGE_STEPS = (("prepare", "내용 확인", 0), ("send", "발송", 10), ("reports", "결과 확인", 60))
AI_STEPS = (("plan", "파일 확인", 0), ("run", "처리", 5), ("assemble", "결과 정리", 90))


class Progress(Contract):
    """What a progress bar shows. `percent` is of the whole job, `step_percent` of the step, 0 to 100."""

    step: str
    percent: int
    remaining_seconds: int | None = None
    step_index: int
    step_total: int
    step_name: str
    step_name_display: str
    step_percent: int


def video_progress(step: str, done: float, elapsed: float | None = None) -> Progress:
    """`done` is 0 to 1 of the step. With `elapsed` seconds of it the time left follows from the pace."""
    return _progress(VIDEO_STEPS, step, done, elapsed)


def trim_progress(step: str, done: float) -> Progress:
    """`done` is 0 to 1 of the step."""
    return _progress(TRIM_STEPS, step, done, None)


def messages_progress(step: str, done: float) -> Progress:
    """`done` is 0 to 1 of the step. Reports come when they come: no time left is told."""
    return _progress(MESSAGE_STEPS, step, done, None)


def ai_progress(step: str, done: float) -> Progress:
    """`done` is 0 to 1 of the step."""
    return _progress(AI_STEPS, step, done, None)


def _progress(
    steps: tuple[tuple[str, str, int], ...], step: str, done: float, elapsed: float | None
) -> Progress:
    index = next(i for i, (name, _, _) in enumerate(steps) if name == step)
    _, display, begins = steps[index]
    ends = steps[index + 1][2] if index + 1 < len(steps) else 100
    done = min(done, 1.0)
    return Progress(
        step=step,
        percent=round(begins + (ends - begins) * done),
        remaining_seconds=round(elapsed / done * (1 - done)) if elapsed and done > 0.01 else None,
        step_index=index + 1,
        step_total=len(steps),
        step_name=step,
        step_name_display=display,
        step_percent=round(100 * done),
    )
