"""Signals: SIGTERM and SIGINT ask a process to end its work and go."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

log = logging.getLogger(__name__)


def run(main: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> NoReturn:
    """Run `main(stop)` until it returns; `stop` is set by the first signal. A second Ctrl-C ends at once; a
    second SIGTERM does not, because supervisors repeat theirs.

    Ends by `os._exit`: the SDK's threads now and then crash an interpreter that winds down.
    """

    async def supervised() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def on_signal(number: signal.Signals) -> None:
            if stop.is_set() and number is signal.SIGINT:
                os._exit(1)
            log.info("stopping")
            stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, on_signal, number)
        await main(stop)

    code = 0
    try:
        runner = asyncio.Runner()
        runner.run(supervised())
        runner.close()  # not after an error: what is left then ends with us, and may wait for long
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
        if isinstance(error.code, str):
            log.error(error.code)
    except BaseException:
        log.exception("ended by an error")
        code = 1
    logging.shutdown()
    os._exit(code)
