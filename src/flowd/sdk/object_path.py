"""ObjectStoragePath: a file or an object of a store, used like a path of pathlib."""

import os
import posixpath
import shutil
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Self

from flowd.sdk.object_location import LOCAL, ObjectLocation
from flowd.sdk.object_stat import StatResult
from flowd.sdk.object_store import ObjectStore, attach


class ObjectStoragePath(ObjectLocation):
    """`ObjectStoragePath("s3://conn_id@bucket/key")`, `("file:///folder/file")`, or of any protocol of fsspec.

    Nothing is opened before the path is used. What a store has no notion of it does as object stores do: there are no
    empty folders, and a write replaces the whole object.
    """

    @property
    def fs(self) -> Any:
        """The file system of fsspec; raises AirflowException where it cannot be opened."""
        return self._store.fs

    def open(self, mode: str = "r", buffering: int = -1, **options: Any) -> Any:
        """Open it; `options` are those of the file system, `encoding` and `compression` among them."""
        if buffering > 1:
            options.setdefault("block_size", buffering)
        return self.fs.open(self.path, mode=mode, **options)

    def read_bytes(self) -> bytes:
        """Return what it holds."""
        with self.open("rb") as file:
            return bytes(file.read())

    def read_text(self, encoding: str | None = None, errors: str | None = None, newline: str | None = None) -> str:
        """Return the text it holds."""
        with self.open("r", encoding=encoding or "utf-8", errors=errors, newline=newline) as file:
            return str(file.read())

    def write_bytes(self, data: bytes) -> int:
        """Let it hold these bytes, and return how many they are."""
        with self.open("wb") as file:
            file.write(data)
        return len(data)

    def write_text(
        self, data: str, encoding: str | None = None, errors: str | None = None, newline: str | None = None
    ) -> int:
        """Let it hold this text, and return how many characters that is."""
        with self.open("w", encoding=encoding or "utf-8", errors=errors, newline=newline) as file:
            file.write(data)
        return len(data)

    def exists(self, **_: Any) -> bool:
        """Whether there is such a file, object or folder."""
        return bool(self.fs.exists(self.path))

    def is_dir(self, **_: Any) -> bool:
        """Whether it is a folder, a bucket, or what keys begin with."""
        return bool(self.fs.isdir(self.path))

    def is_file(self, **_: Any) -> bool:
        """Whether it is a file or an object."""
        return bool(self.fs.isfile(self.path))

    def is_symlink(self) -> bool:
        """Whether it is a link to another file of this machine."""
        return self.is_local and os.path.islink(self.path)

    def stat(self, **_: Any) -> StatResult:
        """Return what the store tells of it; raise FileNotFoundError where it is not there."""
        return StatResult(self.fs.info(self.path))

    def samefile(self, other: Any) -> bool:
        """Whether both are one file."""
        return self._other(other).resolve() == self.resolve()

    def iterdir(self) -> Iterator[Self]:
        """Yield what lies directly in it; raise FileNotFoundError or NotADirectoryError where it is no folder."""
        # Some stores list an object by itself, and some an object that only marks a folder.
        own = self.path.rstrip("/")
        names = [name for name in self.fs.ls(self.path, detail=False) if name.strip("/") != own.strip("/")]
        if not names and self.is_file():
            raise NotADirectoryError(f"{self} is a file")
        yield from (self._found(name) for name in names)

    def glob(self, pattern: str, **_: Any) -> Iterator[Self]:
        """Yield what below it has a name that matches, in order; `**` stands for any folders."""
        yield from (self._found(name) for name in sorted(self.fs.glob(posixpath.join(self.path, pattern))))

    def rglob(self, pattern: str, **_: Any) -> Iterator[Self]:
        """Yield what below it, in any folder, has a name that matches."""
        yield from self.glob(f"**/{pattern}")

    def walk(self, top_down: bool = True, **_: Any) -> Iterator[tuple[Self, list[str], list[str]]]:
        """Yield every folder from here on, with the names of the folders and of the files in it."""
        for folder, folders, files in self.fs.walk(self.path, topdown=top_down):
            yield self._found(folder), folders, files

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Make the folder or the bucket; below a bucket there is nothing to make."""
        if self.exists():
            if not (exist_ok and self.is_dir()):
                raise FileExistsError(f"{self} exists")
            return
        if parents:
            self.fs.makedirs(self.path, exist_ok=True)
        else:
            self.fs.mkdir(self.path, create_parents=False)

    def rmdir(self, recursive: bool | None = None) -> None:
        """Remove the folder: one of this machine must be empty unless `recursive`, others have no empty ones."""
        if not self.is_dir():
            raise NotADirectoryError(f"{self} is no folder")
        is_recursive = not self.is_local if recursive is None else recursive
        if is_recursive:
            self.fs.rm(self.path, recursive=True)
        else:
            self.fs.rmdir(self.path)

    def touch(self, mode: int = 0o666, exist_ok: bool = True, **_: Any) -> None:
        """Make it, empty, where it is not there; what is there keeps what it holds."""
        if not self.exists():
            self.fs.touch(self.path, truncate=True)
        elif not exist_ok:
            raise FileExistsError(f"{self} exists")
        elif self.is_local:
            os.utime(self.path)

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete the file or object; raise FileNotFoundError where it is not there unless `missing_ok`."""
        # S3 says nothing about an object that it did not have.
        if self.exists():
            self.fs.rm_file(self.path)
        elif not missing_ok:
            raise FileNotFoundError(f"{self} does not exist")

    def rename(self, target: Any, **options: Any) -> "ObjectStoragePath":
        """Move it to `target`, which may be a name beside it, and return that path."""
        return self.move(self._other(target), **options)

    def replace(self, target: Any) -> "ObjectStoragePath":
        """As `rename`: what was there is gone."""
        return self.rename(target)

    def copy(self, target: Any, recursive: bool = True, **options: Any) -> "ObjectStoragePath":
        """Copy the file, or the folder with all in it, and return where it is; into `target` where that is a folder.

        Within one store it is the store that copies; from one to another it streams. Raises IsADirectoryError for a
        folder where `recursive` is False.
        """
        place = self._other(target)
        if not self.is_dir():
            if place.is_dir() or place.path.endswith("/"):
                place = place / self.name
            self._copy_file(place, options)
        elif recursive:
            for path in self.fs.find(self.path):
                one = self._found(path)
                one._copy_file(place / str(one.relative_to(self)), options)
        else:
            raise IsADirectoryError(f"{self} is a folder: copy(…, recursive=True) copies it")
        return place

    def copy_into(self, folder: Any, **options: Any) -> "ObjectStoragePath":
        """Copy it into a folder under its own name; raise NotADirectoryError where that is none."""
        return self.copy(self._in_folder(folder), **options)

    def move(self, target: Any, recursive: bool = True, **options: Any) -> "ObjectStoragePath":
        """Let it be at `target`, or in it where that is a folder, and no longer here; return where it is."""
        place = self._other(target)
        if self.is_local and place.is_local:
            # In one step where it stays on one disk: nobody sees half of it.
            return ObjectStoragePath(shutil.move(self.path, place.path), protocol=place.protocol)
        place = self.copy(place, recursive, **options)
        self.fs.rm(self.path, recursive=self.is_dir())
        return place

    def move_into(self, folder: Any, **options: Any) -> "ObjectStoragePath":
        """Move it into a folder under its own name; raise NotADirectoryError where that is none."""
        return self.move(self._in_folder(folder), **options)

    def size(self) -> int:
        """Return how many bytes it holds."""
        return self.stat().st_size

    def checksum(self) -> int:
        """Return a number that changes with what it holds, as the file system makes it."""
        return int(self.fs.checksum(self.path))

    def ukey(self) -> str:
        """Return a text that changes with what it holds, as the file system makes it."""
        return str(self.fs.ukey(self.path))

    def read_block(self, offset: int, length: int | None, delimiter: bytes | None = None) -> bytes:
        """Return `length` bytes from `offset` on, up to and with the next delimiter where one is given."""
        return bytes(self.fs.read_block(self.path, offset=offset, length=length, delimiter=delimiter))

    def sign(self, expiration: int = 100, **options: Any) -> str:
        """Return a URL that is good for `expiration` seconds; NotImplementedError where the store makes none."""
        return str(self.fs.sign(self.path, expiration=expiration, **options))

    def resolve(self, strict: bool = False) -> Self:
        """Return it without `.` and `..`, absolute, and of this machine's files without links."""
        if strict and not self.exists():
            raise FileNotFoundError(f"{self} does not exist")
        if self.is_local:
            return self._at(os.path.realpath(self.path))
        return self._at(posixpath.normpath(f"/{self._key}").lstrip("/"))

    def absolute(self) -> Self:
        """Return it from the root on."""
        return self if self.is_absolute() else self._at(os.path.abspath(self.path))

    def expanduser(self) -> Self:
        """Return it with the home folder in the place of `~`."""
        return self._at(os.path.expanduser(self._key)) if self._protocol in LOCAL else self

    @classmethod
    def cwd(cls) -> Self:
        """Return the working directory."""
        return cls(os.getcwd())

    @classmethod
    def home(cls) -> Self:
        """Return the home folder."""
        return cls(os.path.expanduser("~"))

    @cached_property
    def _store(self) -> ObjectStore:
        protocol = self._protocol or "file"
        if self._storage_options:
            return ObjectStore(protocol, self._conn_id, storage_options=self._storage_options)
        return attach(protocol, self._conn_id)

    def _at(self, key: str) -> Self:
        made = super()._at(key)
        made._store = self._store
        return made

    def _found(self, path: str) -> Self:
        """Return the path that the file system calls so."""
        return self._at(path.lstrip("/").removeprefix(self._bucket).lstrip("/") if self._bucket else path)

    def _other(self, target: Any) -> "ObjectStoragePath":
        """Return the path that is meant: a text without a scheme is a name beside this one."""
        if isinstance(target, ObjectStoragePath):
            return target
        text = os.fspath(target)
        if "://" in text:
            return ObjectStoragePath(text)
        return self.parent / text if self._protocol else ObjectStoragePath(text)

    def _in_folder(self, folder: Any) -> "ObjectStoragePath":
        place = self._other(folder)
        if not place.is_dir():
            raise NotADirectoryError(f"{place} is no folder")
        return place / self.name

    def _copy_file(self, place: "ObjectStoragePath", options: Mapping[str, Any]) -> None:
        if place.is_local:
            os.makedirs(os.path.dirname(place.path) or ".", exist_ok=True)
        if self.samestore(place) and self._storage_options == place._storage_options:
            self.fs.cp_file(self.path, place.path, **options)
            return
        with self.open("rb") as source, place.open("wb") as copy:
            shutil.copyfileobj(source, copy, **options)
