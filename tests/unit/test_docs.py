"""What the documentation names exists: files, links, tests, functions, commands, settings.

Only what stands in backticks or in a code block is looked at. Left out by rule: what has a placeholder
(`{t}`, `<name>`, `…`, `*`), addresses, media types, what git ignores. File names of other kinds than `CODE`
(`result.json`) are those of results, not of this repository.
"""

import ast
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

import pytest
from typer.core import TyperGroup
from typer.main import get_group

from academy.command import app

ROOT = Path(__file__).parents[2]
IGNORED = {".git", *re.findall(r"^(\S+)/$", (ROOT / ".gitignore").read_text(), re.MULTILINE)}
CODE = {".py", ".md", ".toml", ".lock", ".yml", ".yaml", ".sh", ".conf", ".tsv"}
READ = CODE - {".md", ".lock"} | {".html", ".js"}
# Read by Temporal's own command line.
NOT_OURS = {"TEMPORAL_CODEC_AUTH", "TEMPORAL_CODEC_ENDPOINT"}


def names_in(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.ImportFrom(names=aliases):
                yield from (each.asname or each.name for each in aliases)
            case ast.Name(id=name, ctx=ast.Store()):
                yield name


@dataclass
class Tree:
    """A repository, as far as documents speak of it."""

    root: Path
    _names: dict[str, set[str]] = field(default_factory=dict)

    @cached_property
    def documents(self) -> list[str]:
        """Those of the whole; what lies in a package is about files from elsewhere."""
        tops = {"docs", "deploy", "examples", "samples"}
        found = (path for path in self._all if path.suffix == ".md")
        return sorted(str(path) for path in found if len(path.parts) == 1 or path.parts[0] in tops)

    @cached_property
    def paths(self) -> set[str]:
        """Files and folders, each also without its leading folders: `unit/test_docs.py`, `test_docs.py`."""
        return {"/".join(path.parts[n:]) for path in self._all for n in range(len(path.parts))}

    @cached_property
    def _all(self) -> list[PurePosixPath]:
        found = []
        for folder, folders, files in os.walk(self.root):
            folders[:] = [name for name in folders if name not in IGNORED]
            inside = Path(folder).relative_to(self.root)
            found += [PurePosixPath(inside / name) for name in (*folders, *files)]
        return found

    @cached_property
    def _sources(self) -> dict[str, str]:
        files = [path for path in self._all if path.suffix in READ and "vendor" not in path.parts]
        return {str(path): (self.root / path).read_text() for path in files}

    @cached_property
    def words(self) -> set[str]:
        """But for those of this file, which has wrong ones on purpose."""
        texts = (text for path, text in self._sources.items() if self.root / path != Path(__file__))
        return {word for text in texts for word in re.findall(r"\w+", text)}

    @cached_property
    def definitions(self) -> set[str]:
        sources = (text for path, text in self._sources.items() if path.endswith(".py"))
        return {
            name for text in sources for name in re.findall(r"^\s*(?:async )?(?:def|class) (\w+)", text, re.M)
        }

    @cached_property
    def targets(self) -> set[str]:
        return set(re.findall(r"^([a-z][\w-]*):", (self.root / "Makefile").read_text(), re.M))

    def files_called(self, name: str) -> list[str]:
        return [path for path in self._sources if path == name or path.endswith(f"/{name}")]

    def defines(self, file: str, name: str) -> bool:
        """A function, method, class or value of that file, or one that it imports."""
        if file not in self._names:
            self._names[file] = set(names_in(ast.parse(self._sources[file])))
        return name in self._names[file]

    def module(self, dotted: str) -> str | None:
        """The file of a module or package of ours."""
        path = dotted.replace(".", "/")
        return next((file for file in (f"{path}.py", f"{path}/__init__.py") if file in self._sources), None)

    def is_ours(self, dotted: str) -> bool:
        return (self.root / dotted.partition(".")[0] / "__init__.py").exists()

    def has(self, dotted: str) -> bool:
        """A module, or something in one."""
        if self.module(dotted):
            return True
        before, _, name = dotted.rpartition(".")
        file = self.module(before)
        if file:
            return self.defines(file, name)
        return bool(before) and self.has(before) and name in self.definitions

    def program(self, module: str, argument: str) -> bool:
        """Whether `python -m module argument` is something that the program knows."""
        if not self.is_ours(module):
            return find_spec(module) is not None
        files = [self.module(f"{module}.__main__"), self.module(module)]
        texts = [self._sources[file] for file in files if file]
        return bool(texts) and (not argument or any(f'"{argument}"' in text for text in texts))


TREE = Tree(ROOT)
ACADEMY = {
    name: {*command.commands} if isinstance(command, TyperGroup) else set()
    for name, command in get_group(app).commands.items()
}


def anchors(text: str) -> set[str]:
    """Of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def wrong_links(text: str, folder: Path) -> Iterator[str]:
    for link in re.findall(r"\]\(([^()\s]+)\)", text):
        path, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        target = folder / path if path else None
        if target and not target.exists():
            yield f"link to {link}"
        elif anchor and anchor not in anchors(target.read_text() if target else text):
            yield f"anchor in {link}"


def wrong_commands(code: str, tree: Tree) -> Iterator[str]:
    for target in re.findall(r"\bmake ([a-z][\w-]*)", code):
        if target not in tree.targets:
            yield f"make {target}"
    for name in re.findall(r"\bmake bench NAME=(\w+)", code):
        if f"bench/{name}.py" not in tree.paths:
            yield f"make bench NAME={name}"
    for module, words in re.findall(r"\bpython -m ([\w.]+)((?: [a-z][a-z-]+(?:\\?\|[a-z-]+)*)?)", code):
        for word in re.split(r"\\?\|", words.strip()):
            if not tree.program(module, word):
                yield f"python -m {module} {word}".strip()
    for group, command in re.findall(
        r"(?:^|\bapi )academy (?:--as \w+ )?([a-z][a-z-]+)(?: ([a-z][a-z-]+))?", code, re.M
    ):
        if group not in ACADEMY or (command and ACADEMY[group] and command not in ACADEMY[group]):
            yield f"academy {group} {command}".strip()
    for path in re.findall(r"(?<![\w./-])(?:[\w-]+/)+[\w.-]+\.(?:py|sh|md)\b", code if " " in code else ""):
        if path not in tree.paths:
            yield path
    for dotted, name in re.findall(r"\buvicorn ([\w.]+):(\w+)", code):
        if not tree.has(f"{dotted}.{name}"):
            yield f"{dotted}:{name}"
    for dotted, imported in re.findall(r"^from ([\w.]+) import ([\w, ]+)$", code, re.M):
        for name in imported.split(", ") if tree.is_ours(dotted) else ():
            if not tree.has(f"{dotted}.{name}"):
                yield f"{dotted}.{name}"


def wrong_token(token: str, tree: Tree) -> bool:
    """Whether what stands in backticks looks like a name in this repository and is none."""
    if re.search(r"[{<…*\s]|^/|://|^\.\.|example\.com", token):
        return False
    if token.split("/")[0] in IGNORED or re.fullmatch(
        r"(application|audio|binary|image|text|video)/[\w+-]+", token
    ):
        return False
    file, _, inside = token.partition("::")
    if inside:
        return not any(tree.defines(path, inside) for path in tree.files_called(file))
    if call := re.match(r"(\w+)\(", token):
        return len(call[1]) > 1 and call[1] not in tree.definitions
    if "/" in token or PurePosixPath(token).suffix in CODE:
        return bool(re.fullmatch(r"[\w./-]+", token)) and token.rstrip("/") not in tree.paths
    if token.startswith("test_"):
        return token not in tree.definitions and f"{token}.py" not in tree.paths
    if re.fullmatch(r"\w+(\.\w+)+", token):
        # What is not in a package of ours is a job type or activity (`messages.send`), a column, a method.
        return not (tree.has(token) if tree.is_ours(token) else set(token.split(".")) <= tree.words)
    if re.fullmatch(r"[A-Za-z]\w*_\w*[A-Za-z0-9]", token) and token not in NOT_OURS:
        # Settings are written in capitals here and small there; Prometheus adds `_total`.
        return not {token, token.lower(), token.removesuffix("_total")} & tree.words
    return False


def problems(text: str, folder: Path = ROOT, tree: Tree = TREE) -> list[str]:
    """What a document names and nobody has."""
    blocks = re.findall(r"^```.*?\n(.*?)^```", text, re.M | re.S)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    tokens = re.findall(r"`([^`\n]+)`", prose)
    found = [*wrong_links(prose, folder)]
    for code in (*blocks, *tokens):
        found += wrong_commands(code, tree)
    found += [token for token in tokens if wrong_token(token, tree)]
    # `some/file.py` `one`, `two` or `some/file.py`: `one`, `two`: these are that file's.
    for file, names in re.findall(r"`([\w./-]+\.py)`:? ((?:`\w+`(?:, | and )?)+)", prose):
        for name in re.findall(r"`(\w+)`", names):
            if not any(tree.defines(path, name) for path in tree.files_called(file)):
                found.append(f"{file}: {name}")
    return sorted(set(found))


@pytest.mark.parametrize("document", TREE.documents)
def test_what_a_document_names_exists(document: str) -> None:
    assert problems((ROOT / document).read_text(), (ROOT / document).parent) == []


GOOD = (
    "[a](README.md), [b](README.md#operators), [c](#here), [d](https://example.com/none)\n# Here",
    "`Makefile` `workers/bridge.py` `bridge.py` `tests/replay/` `unit/test_docs.py`",
    "`tenants/{t}/none/` `tests/none-<name>.py` `none/…` `unit/test_none_*.py`",
    "`/api/none` `video/mp4` `.venv/bin/none` `https://example.com/none.py`",
    "`test_history_replays` `tests/unit/test_docs.py::test_good_texts`",
    "`unit/test_docs.py`: `test_good_texts`, `test_a_planted_name_is_found`",
    "`contracts.queues.parse` `contracts.queues.parse.Poison` `messages.send` `Stall.over`",
    "`problems(text)` and `{not: ours}`, `a b`",
    "`SQS_HOLD_SECONDS` `payload_sha256` `result.json`",
    "`make check` and `make bench NAME=roster`; make sure of it",
    "`academy erase person 7` `academy usage` `academy --help` `academy --as kim key list 7`",
    "```\n.venv/bin/python -m workers bridge\npython -m devstack staff-token --tenant 7\nmake dev\n```",
    "```\nfrom clients.settings import Settings, load\nfrom somewhere import none\n```",
)

PLANTED = (
    ("[a](docs/none.md)", "link to docs/none.md"),
    ("[a](README.md#none)", "anchor in README.md#none"),
    ("[a](#none)\n# Here", "anchor in #none"),
    ("`workers/none.py`", "workers/none.py"),
    ("`none.py`", "none.py"),
    ("`activites/video/`", "activites/video/"),
    ("`test_none`", "test_none"),
    ("`tests/unit/test_docs.py::test_none`", "tests/unit/test_docs.py::test_none"),
    ("`unit/test_docs.py`: `test_good_texts`, `test_it_replays`", "unit/test_docs.py: test_it_replays"),
    ("`unit/test_docs.py`: `test_history_replays`", "unit/test_docs.py: test_history_replays"),
    ("(`clients/queues.py` `redrive` and `nowhere`)", "clients/queues.py: nowhere"),
    ("`contracts.queues.none`", "contracts.queues.none"),
    ("`contracts.queues.parse.nothing_of_it`", "contracts.queues.parse.nothing_of_it"),
    ("`Heart.retreatingly`", "Heart.retreatingly"),
    ("`nothing_so_called(text)`", "nothing_so_called(text)"),
    ("`SQS_HOLDING_SECONDS`", "SQS_HOLDING_SECONDS"),
    ("`make none`", "make none"),
    ("`make bench NAME=none`", "make bench NAME=none"),
    ("`python -m pytest tests/unit/test_none.py`", "tests/unit/test_none.py"),
    ("`python -m workers none`", "python -m workers none"),
    ("```\npython -m clients.keys none 7\n```", "python -m clients.keys none"),
    ("```\nacademy none list\n```", "academy none list"),
    ("`docker compose exec api academy --as kim key none 7`", "academy key none"),
    ("`python -m workers video\\|none`", "python -m workers none"),
    ("`uvicorn api.app:none`", "api.app:none"),
    ("```\nfrom clients.settings import none\n```", "clients.settings.none"),
)


@pytest.mark.parametrize("text", GOOD)
def test_good_texts(text: str) -> None:
    assert problems(text) == []


@pytest.mark.parametrize(("text", "found"), PLANTED)
def test_a_planted_name_is_found(text: str, found: str) -> None:
    assert found in problems(text)


def settings_of(page: str) -> set[str]:
    rows = re.findall(r"^\|([^|]+)\|", page, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([A-Z][A-Z0-9_]*\*?)`", row)}


def settings_in(source: str) -> set[str]:
    """Of `Settings` and of its parts, which others use alone."""
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    models = [node for node in classes if node.name == "Settings" or node.name.endswith("Part")]
    fields = (node.target for model in models for node in model.body if isinstance(node, ast.AnnAssign))
    return {target.id.upper() for target in fields if isinstance(target, ast.Name)}


def test_the_page_of_settings_lists_them_all() -> None:
    told = settings_of((ROOT / "docs/settings.md").read_text())
    files = ("clients/settings.py", "clients/connections.py")
    fields = {name for file in files for name in settings_in((ROOT / file).read_text())}
    assert {name for name in fields if not any(fnmatchcase(name, each) for each in told)} == set()
    unknown = {each for each in told if not any(fnmatchcase(name, each) for name in fields)}
    # One that a library reads, and that the AI worker insists on; and one that says where settings stand.
    assert unknown == {"OMP_THREAD_LIMIT", "SETTINGS_SSM_PATHS"} and unknown <= TREE.words


def test_settings_are_compared_by_name() -> None:
    assert settings_of("# Settings\n\n| **`A_B`** `C_*` | `D` |\n\n`F`\n") == {"A_B", "C_*"}
    models = "class Settings(Base):\n    a_b: str\n    x = 1\n    c: int = 2\nclass APart:\n    e: int\n"
    assert settings_in(f"{models}class Other:\n    d: int") == {"A_B", "C", "E"}


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs/README.md").read_text()
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {page for page in pages if f"]({page})" not in index} == set()


def test_every_decision_is_in_the_index_as_it_says() -> None:
    index = (ROOT / "docs/decisions/README.md").read_text()
    records = sorted((ROOT / "docs/decisions").glob("0*.md"))
    assert len(records) == index.count("\n| [")
    for record in records:
        head = re.match(r"# (\d+)\. (.+)\n\nDate: (\d{4}-\d\d-\d\d)\. Status: (.+)\.\n", record.read_text())
        assert head, record.name
        number, title, date, status = head.groups()
        assert record.name.startswith(f"{int(number):04}-")
        assert f"| [{number}]({record.name}) | {title} | {date} | {status} |" in index
