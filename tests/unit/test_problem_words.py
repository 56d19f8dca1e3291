"""Every problem that the API may answer with has its words on the console, in both languages."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

from contracts.queues.poison import PoisonCode
from rules.viewing import Refusal

ROOT = Path(__file__).parents[2]
WORDS = ROOT / "api/console/static/problems.js"
CODE = re.compile(r"[a-z][a-z_]+")
# Functions whose argument of this place is a code.
RAISING = {"refused": 1, "problem": 2, "dead": 0}


def codes(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name), args=args) if len(args) > RAISING.get(name, 99):
                if isinstance(given := args[RAISING[name]], ast.Constant):
                    yield given.value
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    named = isinstance(key, ast.Constant) and key.value == "code"
                    if named and isinstance(value, ast.Constant) and CODE.fullmatch(str(value.value)):
                        yield value.value
            case ast.Assign(targets=[ast.Name(id="_CODES")], value=ast.Dict(values=values)):
                yield from (value.value for value in values if isinstance(value, ast.Constant))


def test_every_problem_has_its_words() -> None:
    known = {
        name: json.loads(f"[{both}]")
        for name, both in re.findall(r"^  (\w+): \[(.+)\],$", WORDS.read_text(), re.MULTILINE)
    }
    used = {code for file in (ROOT / "api").rglob("*.py") for code in codes(ast.parse(file.read_text()))}
    used |= {code.lower() for code in PoisonCode} | {code.lower() for code in Refusal}
    assert {"already_retried", "too_large", "session_ended", "not_found", "no_staff_key"} <= used
    assert used - known.keys() == set()
    for name, (korean, english) in known.items():
        assert re.search("[가-힣]", korean) and not re.search("[가-힣]", english), name
