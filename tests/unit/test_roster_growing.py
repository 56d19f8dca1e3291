"""Rows that are handed out while a child writes them, and taken back where they were the wrong ones."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Timer

import pytest

from activities.ai.students.tail import Superseded, Tail
from activities.ai.tasks.roster.parse import Row

FIRST, SECOND = b'["1",2,{"name":"a"},[]]\n', b'["1",3,{"name":"b"},[]]\n'


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return [tmp_path / "first", tmp_path / "second"]


@pytest.fixture
def growing(files: list[Path]) -> Iterator[Tail]:
    with closing(Tail()) as growing:
        growing.next(files[0])
        yield growing


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_rows_come_as_they_are_written(growing: Tail, files: list[Path]) -> None:
    rows = iter(growing)
    append(files[0], FIRST + SECOND[:7])
    assert next(rows) == Row("1", 2, {"name": "a"})
    Timer(0.05, append, (files[0], SECOND[7:])).start()
    assert next(rows) == Row("1", 3, {"name": "b"})
    growing.next(files[1])
    append(files[1], FIRST)
    assert next(rows) == Row("1", 2, {"name": "a"})
    growing.end(3)
    assert list(rows) == []


@pytest.mark.parametrize("students", [1, 3, None])
def test_other_rows_than_the_rosters_are_superseded(
    growing: Tail, files: list[Path], students: int | None
) -> None:
    append(files[0], FIRST + SECOND)
    growing.end(students)
    rows = iter(growing)
    assert [row.row for row in (next(rows), next(rows))] == [2, 3]
    with pytest.raises(Superseded):
        next(rows)


def test_who_waits_for_rows_is_woken_by_the_end(growing: Tail) -> None:
    Timer(0.05, growing.end, (None,)).start()
    with pytest.raises(Superseded):
        list(growing)


def test_nobody_waits_long_or_takes_more_than_a_roster_may_have(
    growing: Tail, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    append(files[0], FIRST + SECOND)
    monkeypatch.setattr("activities.ai.students.tail.PATIENCE", 0.1)
    rows = iter(growing)
    assert [row.row for row in (next(rows), next(rows))] == [2, 3]
    with pytest.raises(Superseded):
        next(rows)
    monkeypatch.setattr("activities.ai.students.tail.MAX_ROWS", 1)
    with closing(Tail()) as another:
        another.next(files[1])
        append(files[1], FIRST + SECOND)
        another.end(2)
        with pytest.raises(Superseded):
            list(another)


def test_more_files_than_are_followed_are_superseded(
    growing: Tail, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.ai.students.tail.FOLLOWED", 1)
    growing.next(files[1])
    append(files[1], FIRST)
    growing.end(1)
    with pytest.raises(Superseded):
        list(growing)


def test_what_a_child_puts_in_the_place_of_a_file_is_not_read(
    growing: Tail, files: list[Path], tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(FIRST)
    files[1].symlink_to(secret)
    with pytest.raises(FileExistsError):
        growing.next(files[1])
    files[0].unlink()
    files[0].symlink_to(secret)
    growing.end(1)
    with pytest.raises(Superseded):
        list(growing)
