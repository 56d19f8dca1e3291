"""The command `academy`, without a server: every command and option says what it is, and is recorded or has a
reason not to be."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command
from typer.testing import CliRunner

from academy.command import app
from api.console.operation_words import COMMAND_WORDS
from clients.operators import Command
from tests.integration.test_academy import TYPED

ROOT = Path(__file__).parents[2]
UNRECORDED = {
    "tenant list": "numbers and words of ours",
    "tenant show": "numbers and words of ours",
    "credit show": "money of an academy, and nobody's name",
    "job list": "where jobs stand",
    "job log": "where a job stands",
    "job show": "where a job stands: what came of it is recorded (--result)",
    "queue list": "servers",
    "queue tasks": "servers",
    "worker list": "servers",
    "schedule list": "servers",
    "letters list": "letters without their bodies",
    "usage": "counts and money of academies",
}
# Programs that read arguments and are no command of an operator's, and why.
OTHERS = {
    "api/__main__.py": "starts the API, whose requests are recorded",
    "activities/ai/tasks/omr/sheet.py": "draws an empty sheet",
}


def leaves(group: TyperGroup, path: str = "") -> Iterator[tuple[str, TyperCommand]]:
    for name, command in group.commands.items():
        here = f"{path} {name}".strip()
        if isinstance(command, TyperGroup):
            assert command.help, here
            yield from leaves(command, here)
        else:
            assert isinstance(command, TyperCommand)
            yield here, command


ROOT_COMMAND = get_command(app)
assert isinstance(ROOT_COMMAND, TyperGroup)
COMMANDS = dict(leaves(ROOT_COMMAND))


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_says_what_it_does_and_has_json(path: str) -> None:
    command = COMMANDS[path]
    assert command.help and command.help.strip().endswith("."), path
    silent = [each.name for each in command.params if not getattr(each, "help", None)]
    assert silent == []
    options = {name for each in command.params for name in each.opts}
    assert "--json" in options
    assert all(isinstance(each, TyperArgument | TyperOption) for each in command.params)
    shown = CliRunner().invoke(app, [*path.split(), "--help"])
    assert shown.exit_code == 0 and "--json" in shown.output


def test_every_command_is_recorded_or_has_a_reason() -> None:
    words = {command: re.match(r"[a-z -]+?(?= --| \{|$| messaging)", text) for command, text in TYPED.items()}
    recorded = {found[0] for found in words.values() if found}
    assert recorded | set(UNRECORDED) == set(COMMANDS)
    assert recorded & set(UNRECORDED) == {"job show"}


def test_every_record_has_a_command_and_words() -> None:
    """How each is typed, and that it writes that record: `test_without_a_record_nothing_is_done`."""
    assert set(TYPED) == set(Command) == set(COMMAND_WORDS)


def test_who_reads_arguments_is_known() -> None:
    packages = ("api", "workers", "intake", "activities", "clients", "academy")
    files = [file for package in packages for file in (ROOT / package).rglob("*.py")]
    reading = {str(file.relative_to(ROOT)) for file in files if "ArgumentParser(" in file.read_text()}
    assert reading == set(OTHERS)


def test_what_a_variable_holds_is_never_shown() -> None:
    assert app.pretty_exceptions_enable is False
