"""Hosts in trouble, programs that hang, files that are damaged or hostile."""

from tests.defences import Defence

_TROUBLE, _LAUNCHER = "activities/host/trouble.py", "activities/host/cage/launcher.py"
_FFMPEG, _CHILD = "activities/video/ffmpeg.py", "activities/ai/sandbox/process.py"
_CACHE, _CACHED = "activities/host/source_cache.py", "tests/integration/test_source_cache.py"
_HOST, _RUN = "tests/unit/test_host.py", "tests/unit/test_media_process.py"

HOST = (
    Defence(
        "disk-full-by-code",
        _TROUBLE,
        "if code in _CODES:",
        "if code == 0:",
        f"{_HOST}::test_the_hosts_fault",
    ),
    Defence(
        "disk-full-by-word",
        _TROUBLE,
        "for text in map(os.strerror, _ERRNOS) if text in stderr]",
        "for text in map(os.strerror, _ERRNOS) if not stderr]",
        f"{_HOST}::test_the_hosts_fault",
    ),
    Defence(
        "program-killed-from-outside",
        _TROUBLE,
        "if -code in _KILLED:",
        "if code == 1_000:",
        f"{_HOST}::test_the_hosts_fault",
    ),
    Defence(
        "disk-full-looked-at-before-a-file-is-blamed",
        "activities/video/encoding.py",
        "await in_thread(self._room.require)  # while what was written is still there",
        "pass",
        "tests/unit/test_encoding_tries.py::test_failing_on_a_full_disk_is_left_to_another_worker",
    ),
    Defence(
        "second-try-of-a-unit",
        "activities/video/encoding.py",
        "for attempt in range(1, TRIES + 1):",
        "for attempt in range(1, 2):",
        "tests/unit/test_encoding_tries.py::test_a_second_try_has_a_fresh_folder",
    ),
    Defence(
        "killed-ffmpeg-goes-to-another-worker",
        "activities/video/encoding.py",
        "if killed_from_outside(error):",
        "if False:",
        "tests/unit/test_encoding_tries.py::test_a_killed_ffmpeg_is_left_to_another_worker",
    ),
    Defence(
        "disk-full-in-a-child",
        _CHILD,
        "await in_thread(self._room.require)\n            if not self._started",
        "if not self._started",
        f"{_HOST}::test_a_child_that_dies_on_a_full_disk_is_no_verdict",
    ),
    Defence(
        "child-that-does-not-start",
        _CHILD,
        "if not self._started:\n                raise HostTrouble",
        "if False:\n                raise HostTrouble",
        f"{_HOST}::test_a_child_that_does_not_start_is_no_verdict",
    ),
    Defence(
        "child-that-dies-once",
        _CHILD,
        "if error.code not in DEATHS:",
        "if True:",
        f"{_HOST}::test_what_one_child_died_of_is_asked_once_more",
    ),
    Defence(
        "kernels-killer-in-a-child",
        _CHILD,
        "killed_for_memory() > killed_before",
        "False",
        f"{_HOST}::test_a_child_that_the_kernel_killed_for_memory_is_no_verdict",
    ),
    Defence(
        "worker-without-room-rests",
        "workers/slots.py",
        "while not await self._has_room(ctx.task_queue):",
        "while not (await self._has_room(ctx.task_queue) or True):",
        f"{_HOST}::test_a_worker_without_room_asks_for_no_task",
    ),
    Defence(
        "read-only-disk-is-tried",
        "activities/host/room.py",
        "            with TemporaryFile(dir=self._folder) as file:\n"
        "                file.write(_BLOCK)\n"
        "                file.flush()\n"
        "                os.fsync(file.fileno())\n",
        "",
        f"{_HOST}::test_room",
    ),
    Defence(
        "scratch-of-the-living",
        "activities/host/scratch.py",
        "fcntl.flock(os.open(own, os.O_RDONLY), fcntl.LOCK_EX)  # until the process ends",
        "pass",
        f"{_HOST}::test_nobody_removes_what_a_living_process_makes",
    ),
    Defence(
        "program-that-hangs",
        _FFMPEG,
        "stalled.add_done_callback(lambda task: task.cancelled() or _signal_group(process, signal.SIGKILL))",
        "pass",
        f"{_RUN}::test_one_that_hangs_is_ended",
    ),
    Defence(
        "busy-host-is-no-hang",
        "activities/host/stall.py",
        "min(quiet, used if used > quiet * _COMPUTING else quiet)",
        "quiet",
        f"{_RUN}::test_one_that_waits_for_a_processor_does_not_hang",
    ),
    Defence(
        "program-ignores-sigterm",
        _FFMPEG,
        "await asyncio.wait_for(process.wait(), TERM_GRACE)\n    _signal_group(process, signal.SIGKILL)\n",
        "await asyncio.wait_for(process.wait(), TERM_GRACE)\n    return\n",
        f"{_RUN}::test_cancelling_leaves_nothing_even_of_what_ignores_sigterm",
    ),
    Defence(
        "program-outlives-killed-worker",
        _LAUNCHER,
        "libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)",
        "pass",
        f"{_RUN}::test_the_kernel_kills_it_when_we_are_killed",
    ),
    Defence(
        "memory-of-a-program",
        _LAUNCHER,
        "resource.setrlimit(resource.RLIMIT_AS, (memory, memory))",
        "pass",
        f"{_RUN}::test_memory_is_limited",
    ),
    Defence(
        "processor-of-a-program",
        _LAUNCHER,
        "resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu if cpu == resource.RLIM_INFINITY else cpu + 1))",
        "pass",
        f"{_RUN}::test_a_limit_is_a_limit[cpu]",
    ),
    Defence(
        "file-size-of-a-program",
        _LAUNCHER,
        "resource.setrlimit(resource.RLIMIT_FSIZE, (file, file))",
        "pass",
        f"{_RUN}::test_a_limit_is_a_limit[file size]",
    ),
    Defence(
        "secrets-of-the-worker",
        _FFMPEG,
        'env={name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ},',
        "env=dict(os.environ),",
        f"{_RUN}::test_it_sees_neither_our_secrets_nor_our_network",
    ),
    Defence(
        "copy-of-a-source-is-read-again",
        _CACHE,
        "good = good and (written is None or md5_of(copy.path) == written.kept)",
        "pass",
        f"{_CACHED}::test_a_damaged_copy_is_fetched_again",
    ),
    Defence(
        "source-came-damaged",
        _CACHE,
        "if self._is_good(copy, source, lock) and written and self._objects.same(source, written.fetched):",
        "if self._is_good(copy, source, lock):",
        f"{_CACHED}::test_what_came_damaged_is_known_before_the_file_is_judged",
    ),
    Defence(
        "people-on-a-workers-disk",
        _CACHE,
        "if private and _flock(lock, fcntl.LOCK_EX):",
        "if False:",
        f"{_CACHED}::test_what_holds_people_goes_with_its_last_reader",
    ),
    Defence(
        "people-left-by-a-killed-worker",
        _CACHE,
        "        if copy.private:\n            return True\n",
        "",
        f"{_CACHED}::test_what_a_killed_worker_leaves_of_people_goes_when_another_begins",
    ),
)
