"""One version, wherever it stands."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
VERSION: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
HEADINGS = re.findall(r"^## \[(.+?)\](.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
RELEASES = [name for name, _ in HEADINGS if name != "Unreleased"]


def stands(file: str, pattern: str) -> list[str]:
    return re.findall(pattern, (ROOT / file).read_text(), re.MULTILINE)


def number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def test_the_newest_release_is_the_version() -> None:
    assert RELEASES[0] == VERSION


def test_the_image_and_its_workers_are_called_by_it() -> None:
    assert stands("docker-compose.yml", r"image: academy-workflows:(\S+)") == [f"${{RELEASE:-{VERSION}}}"]
    assert stands("docker-compose.yml", r"BUILD_ID: (\S+)") == [f"${{RELEASE:-{VERSION}}}"]
    assert stands("Dockerfile", r'org\.opencontainers\.image\.version="(.+?)"') == [VERSION]


def test_releases_are_dated_and_in_order() -> None:
    dated = [(number(name), text) for name, text in HEADINGS if name != "Unreleased"]
    assert all(re.fullmatch(r" - \d{4}-\d\d-\d\d", text) for _, text in dated)
    assert [version for version, _ in dated] == sorted({version for version, _ in dated}, reverse=True)
    assert [text for _, text in dated] == sorted((text for _, text in dated), reverse=True)


def test_captured_histories_are_of_releases_or_the_next_one() -> None:
    captured = {folder.name for folder in (ROOT / "tests/replay/histories").iterdir()}
    major, minor, _ = number(VERSION)
    coming = f"v{major}.{minor + 1}"
    assert captured <= {"v" + name.rpartition(".")[0] for name in RELEASES} | {coming}
