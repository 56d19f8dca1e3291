"""A child's own folder: what it is given to read, where it may write, and what is taken over from there.

A parser that was taken over puts what it likes where it may write. So results are taken by renaming them into
a folder that it cannot reach, and looked at there: nothing can be swapped after the look.
"""

import fcntl
import os
import secrets
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from activities.host.cage.caging import new_user
from activities.host.room import Room

_FICLONE = 0x40049409  # linux/fs.h


class NotAFile(Exception):
    """Something else lies among the results."""


class Home:
    """`given` is for reading, `work` for writing; `user` owns `work` alone, and is 0 where the worker cannot
    change its own. Blocking."""

    def __init__(self, scratch: Path) -> None:
        self._folder = TemporaryDirectory(dir=scratch, ignore_cleanup_errors=True)
        self._room = Room(scratch)
        self._home = home = Path(self._folder.name).absolute()
        self.user = new_user(home)
        self.given, self.work = home / "given", home / "work"
        self.given.mkdir(0o700)
        self.work.mkdir(0o700)
        if self.user:
            home.chmod(0o711)
            self._let_read(self.given)
            os.chown(self.work, self.user, self.user)
        self._source: tuple[Path, tuple[int, ...]] | None = None

    def give(self, source: Path) -> Path:
        """A copy under the same name: the cache's own file is other jobs' too. Made once for the same file.
        What is no file (of a task that needs none) is left as it is. Raises HostTrouble."""
        if not source.is_file():
            return source
        found = source.stat()
        looks = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
        copy = self.given / source.name
        if self._source == (copy, looks):
            return copy
        if self._source:
            self._source[0].unlink()
        self._source = None
        self._room.require(found.st_size)
        copy.unlink(missing_ok=True)
        _copy(source, copy)
        if self.user:
            self._let_read(copy)
        self._source = copy, looks
        return copy

    def make(self, prepare: Callable[[Path], None] | None = None) -> Path:
        """A new folder for the results of one call; `prepare` puts something there before."""
        made = Path(mkdtemp(dir=self._home))
        if prepare:
            prepare(made)
        return self._hand_over(made, self.work / made.name)

    def move_in(self, folder: Path) -> Path:
        """Finished results, to be worked on: the folder is the child's from now on."""
        folder.mkdir(0o700, exist_ok=True)
        return self._hand_over(folder, self.work / f"units-{secrets.token_hex(8)}")

    def take(self, made: Path, out: Path) -> set[str]:
        """Move the results to `out`, and tell their names. Raises NotAFile for anything but files that have
        one name: a link leads to what the worker may read and the child may not."""
        try:
            folder = os.open(made, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError as error:
            raise NotAFile from error
        try:
            names = os.listdir(folder)  # noqa: PTH208 - the folder that was opened, whatever is there now
            for name in names:
                os.rename(name, out / name, src_dir_fd=folder)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError, FileExistsError) as error:
            raise NotAFile from error
        finally:
            os.close(folder)
        for name in names:
            found = (out / name).lstat()
            if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
                raise NotAFile
        return set(names)

    def drop(self, *folders: Path) -> None:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        self._folder.cleanup()

    def _hand_over(self, folder: Path, place: Path) -> Path:
        """Changed before it is where the child can put a link in its place."""
        if self.user:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, self.user, self.user, follow_symlinks=False)
        return folder.rename(place)

    def _let_read(self, path: Path) -> None:
        os.chown(path, 0, self.user)
        path.chmod(0o550 if path.is_dir() else 0o440)


def _copy(source: Path, target: Path) -> None:
    """By reference where the file system can."""
    with source.open("rb") as original, target.open("xb") as copy:
        os.fchmod(copy.fileno(), 0o400)
        try:
            fcntl.ioctl(copy.fileno(), _FICLONE, original.fileno())
        except OSError:
            shutil.copyfileobj(original, copy, 2**20)
