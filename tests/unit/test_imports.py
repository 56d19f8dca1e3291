"""Modules of a package import each other in one direction; imports for mypy alone count as well."""

import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

PACKAGES = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_modules_import_each_other_in_a_circle(package: str) -> None:
    graph = grimp.build_graph(package, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    TopologicalSorter(imports).prepare()  # CycleError names the circle
