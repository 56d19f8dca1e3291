"""What the checkers of `make check` see: slips planted in a copy, each of which must be found.

Named ones stand for what went unnoticed once. The others are one slip at each place of a kind: every name
that is asked of the services, of a row, of the settings; every activity that a workflow runs.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import PATIENCE

ROOT = Path(__file__).parents[2]
ROOMS = (
    "contracts",
    "rules",
    "clients",
    "workflows",
    "intake",
    "activities",
    "workers",
    "api",
    "academy",
    "devstack",
    "examples",
)

# Where, what stands there, what is planted in its place.
NAMED = (
    ("api/middleware/polls.py", "services.board.read_text(", "services.board.read_textt("),
    ("api/routes/legacy.py", "message_of(job.error_code)", "message_of(job.error_codee)"),
    ("workflows/video/encode.py", "steps.run(\n", 'steps.run("video.publissh",\n'),
    ("workflows/video/delete.py", "running = await", "running: str = await"),
    ("activities/messaging/sending.py", "known.state ", "known.statee "),
    ("activities/jobs.py", "-> JobOutcome:", "-> str:"),
    ("workers/ops.py", "task_queue=TaskQueue.OPS", "task_queue=TaskQueue.OPPS"),
    ("activities/messaging/sending.py", "ErrorType.UNPROVEN", "ErrorType.UNPROVED"),
    ("intake/submit.py", "CATALOG[ref.job_type]", "CATALOGG[ref.job_type]"),
    ("contracts/catalog.py", "workflow=WorkflowType.ENCODE", 'workflow="video.encode"'),
)
# Asked of what has a type only because somebody gave it one.
KINDS = {
    "services": re.compile(r"(?<![\w.])services\.(?:\w+\.)?\w+(?=[(.,)\]: ])"),
    "row": re.compile(r"(?<![\w.])(?:job|video|row|known|account|session|upload)\.\w+(?=[,)\]: \n])"),
    "settings": re.compile(r"(?<![\w.])settings\.(?!model_)\w+(?=[,)\]: \n])"),
    "activity": re.compile(r"(?<=steps\.run\()(?:activities|ai|video|messages|ops)\.[A-Z_]+"),
}
IMPORTS = (
    ("workers/breaker.py", "devstack.ports"),
    ("workers/breaker.py", "api.cache"),
    ("activities/jobs.py", "api.cache"),
    ("intake/errors.py", "api.cache"),
    ("clients/vault.py", "workflows.policies"),
    ("rules/viewing.py", "clients.vault"),
    ("contracts/base.py", "rules.viewing"),
    ("api/cache.py", "activities.jobs"),
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rooms and the checkers' settings, with what mypy knows of them already."""
    copy = tmp_path_factory.mktemp("planted")
    for name in (*ROOMS, "pyproject.toml", ".mypy_cache"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "models"))
        elif (ROOT / name).exists():
            shutil.copy2(ROOT / name, copy / name)
    return copy


def places(text: str, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
    """Where a slip of a kind is code: not in a comment, a docstring or a call of a method of its own."""
    for found in pattern.finditer(text):
        line = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
        if text.count('"""', 0, found.start()) % 2 == 0 and not {"#", '"', "`"} & set(line):
            yield found


# Kinds by themselves: what a name that does not exist gives passes for anything.
@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_slip_at_a_seam_does_not_pass_mypy(copy: Path, kind: str) -> None:
    planted: set[str] = set()
    for room in ("api", "intake", "activities", "workers", "workflows"):
        for file in sorted((copy / room).rglob("*.py")):
            name = str(file.relative_to(copy))
            text = (ROOT / name).read_text()
            for found in reversed(list(places(text, KINDS[kind]))):
                text = f"{text[: found.end()]}x{text[found.end() :]}"
                planted.add(f"{name}:{text.count(chr(10), 0, found.end()) + 1}")
            file.write_text(text)
    assert sorted(planted - lines_with_errors(copy)) == []
    assert len(planted) > 10, "the pattern finds what stands in the code"


def test_each_of_those_that_went_unnoticed_is_found(copy: Path) -> None:
    planted = set()
    for name, stands, slip in NAMED:
        text = (ROOT / name).read_text()
        assert stands in text, f"{name} has no {stands!r} any more: plant it elsewhere"
        (copy / name).write_text(text.replace(stands, slip, 1))
        planted.add(name)
    found = {line.partition(":")[0] for line in lines_with_errors(copy)}
    assert planted - found == set()


def test_an_import_against_the_layers_is_found(copy: Path) -> None:
    for name, module in IMPORTS:
        with (copy / name).open("a") as file:
            file.write(f"\nimport {module} as planted_{module.replace('.', '_')}\n")
    answer = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=copy,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert answer.returncode != 0
    for name, module in IMPORTS:
        importer = name.removesuffix(".py").replace("/", ".")
        assert re.search(rf"{re.escape(importer)} -> {re.escape(module)}\b", answer.stdout), (
            importer,
            module,
        )


def lines_with_errors(copy: Path) -> set[str]:
    """`file:line` of mypy's errors."""
    answer = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary"],
        cwd=copy,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    return set(re.findall(r"^(\S+?:\d+): error:", answer.stdout, flags=re.MULTILINE))
