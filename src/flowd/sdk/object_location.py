"""ObjectLocation: where a file or an object is, as a path that can be taken apart and joined; nothing is opened.

It is a class of its own over text, and no subclass of `upath.UPath`: those are made through names that library keeps
private and has changed more than once, and they open the store when they are made, which a DAG file does at its top.
What reads and writes (`object_path.py`) needs only fsspec, whose calls have been the same for years; and where that
is not installed, as on a node that only parses, a DAG file still loads.
"""

import posixpath
from collections.abc import Sequence
from os import fspath
from pathlib import PurePosixPath
from typing import Any, ClassVar, Self
from urllib.parse import quote, unquote

LOCAL = ("", "file", "local")
"""The protocols of this machine's own files; `""` is that of a path without a scheme."""


class ObjectLocation:
    """`protocol://[conn_id@]bucket/key`, or a path of this machine with `file://` or without a scheme.

    The `conn_id` may be given either way. What is joined to a bucket stays in it: a key has no root.
    """

    sep: ClassVar[str] = "/"
    root_marker: ClassVar[str] = "/"

    _protocol: str
    _conn_id: str | None
    _bucket: str
    _key: str
    _storage_options: dict[str, Any]

    def __init__(
        self, *parts: Any, protocol: str | None = None, conn_id: str | None = None, **storage_options: Any
    ) -> None:
        first, *others = parts or ("",)
        if isinstance(first, ObjectLocation):
            self._protocol, self._bucket, self._key = first._protocol, first._bucket, first._key
            user, storage_options = first.conn_id, {**first._storage_options, **storage_options}
        else:
            self._protocol, user, self._bucket, self._key = _parsed(fspath(first), protocol)
        self._conn_id = user if conn_id is None else conn_id
        self._storage_options = storage_options
        for other in others:
            self._key = self._joined(other)

    @property
    def protocol(self) -> str:
        """What is before `://`; empty for a path without it."""
        return self._protocol

    @property
    def conn_id(self) -> str | None:
        """The connection whose credentials open it."""
        return self._conn_id

    @property
    def storage_options(self) -> dict[str, Any]:
        """What the file system is given beside the connection."""
        return dict(self._storage_options)

    @property
    def bucket(self) -> str:
        """The bucket or container; empty for a file of this machine."""
        return self._bucket

    container = bucket

    @property
    def key(self) -> str:
        """What is behind the bucket, with no slash before it; a slash at its end is kept."""
        return self._key.lstrip(self.sep)

    @property
    def namespace(self) -> str:
        """Protocol and bucket."""
        return f"{self._protocol}://{self._bucket}" if self._bucket else self._protocol

    @property
    def path(self) -> str:
        """The path as its file system wants it: `bucket/key`, or `/folder/file`."""
        return f"{self._bucket}/{self._key}" if self._bucket else self._key

    @property
    def is_local(self) -> bool:
        """True for a file of this machine."""
        return self._protocol in LOCAL

    @property
    def parts(self) -> tuple[str, ...]:
        """The bucket with a slash, or the root, and the names below it."""
        names = self._pure.parts
        return (f"{self._bucket}/", *names) if self._bucket else names

    @property
    def anchor(self) -> str:
        """The bucket with a slash, or the root."""
        return f"{self._bucket}/" if self._bucket else self._pure.anchor

    @property
    def name(self) -> str:
        """The last name."""
        return self._pure.name

    @property
    def stem(self) -> str:
        """The last name without its suffix."""
        return self._pure.stem

    @property
    def suffix(self) -> str:
        """The last suffix of the name, with its point."""
        return self._pure.suffix

    @property
    def suffixes(self) -> list[str]:
        """Every suffix of the name."""
        return self._pure.suffixes

    @property
    def parent(self) -> Self:
        """What it lies in; of a bucket or a root that itself."""
        above = str(self._pure.parent)
        return self._at("" if above == "." and self._bucket else above)

    @property
    def parents(self) -> Sequence[Self]:
        """Everything it lies in, the nearest first."""
        found = [self]
        while (above := found[-1].parent) != found[-1]:
            found.append(above)
        return found[1:]

    def joinpath(self, *others: Any) -> Self:
        """Return the path of what is named below this one."""
        made = self._at(self._key)
        for other in others:
            made._key = made._joined(other)
        return made

    def __truediv__(self, other: Any) -> Self:
        return self.joinpath(other)

    def with_name(self, name: str) -> Self:
        """Return it with another last name."""
        return self._at(str(self._pure.with_name(name)))

    def with_stem(self, stem: str) -> Self:
        """Return it with another last name before the suffix."""
        return self._at(str(self._pure.with_stem(stem)))

    def with_suffix(self, suffix: str) -> Self:
        """Return it with another suffix."""
        return self._at(str(self._pure.with_suffix(suffix)))

    def relative_to(self, other: Any) -> PurePosixPath:
        """Return the path from `other` to it; raise ValueError where it is not below that."""
        base = self._as_location(other)
        if not self.samestore(base) or self._bucket != base._bucket:
            raise ValueError(f"{self} is not below {base}")
        return self._pure.relative_to(base._pure)

    def is_relative_to(self, other: Any) -> bool:
        """Whether it is `other`, or below it."""
        try:
            self.relative_to(other)
        except ValueError:
            return False
        return True

    def match(self, pattern: str) -> bool:
        """Whether its last names match the pattern."""
        return self._pure.match(pattern)

    def is_absolute(self) -> bool:
        """False for a path without a scheme that begins at the working directory."""
        return bool(self._bucket) or self._pure.is_absolute()

    def as_posix(self) -> str:
        """Return its text."""
        return str(self)

    def as_uri(self) -> str:
        """Return it as a URI, a path without a scheme as `file://`."""
        return str(self) if self._protocol else f"file://{posixpath.abspath(self._key)}"

    def samestore(self, other: Any) -> bool:
        """Whether `other` is opened by the same protocol and connection."""
        return isinstance(other, ObjectLocation) and (self._scheme, self._conn_id) == (other._scheme, other._conn_id)

    def serialize(self) -> dict[str, Any]:
        """Return what makes it again."""
        return {"path": str(self), "conn_id": self._conn_id, "kwargs": self.storage_options}

    @classmethod
    def deserialize(cls, data: dict[str, Any], version: int = 1) -> Self:
        """Return the path that `serialize` described."""
        return cls(data["path"], conn_id=data.get("conn_id"), **data.get("kwargs", {}))

    def __str__(self) -> str:
        user = f"{quote(self._conn_id, safe='')}@" if self._conn_id else ""
        return f"{self._protocol}://{user}{self.path}" if self._protocol else self._key

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectLocation) and self.samestore(other) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __lt__(self, other: Any) -> bool:
        return str(self) < str(other) if isinstance(other, ObjectLocation) else NotImplemented

    @property
    def _pure(self) -> PurePosixPath:
        return PurePosixPath(self._key)

    @property
    def _scheme(self) -> str:
        return "file" if self.is_local else self._protocol

    def _at(self, key: str) -> Self:
        made = object.__new__(type(self))
        made._protocol, made._bucket, made._key = self._protocol, self._bucket, key
        made._conn_id, made._storage_options = self._conn_id, self._storage_options
        return made

    def _joined(self, other: Any) -> str:
        text = other.path if isinstance(other, ObjectLocation) else str(other)
        # Text and not a PurePath: an object may be named a//b or end with a slash, and is another one then.
        return posixpath.join(self._key, text.lstrip("/") if self._bucket else text)

    def _as_location(self, other: Any) -> "ObjectLocation":
        return other if isinstance(other, ObjectLocation) else type(self)(other)


def _parsed(text: str, protocol: str | None) -> tuple[str, str | None, str, str]:
    """Return protocol, connection id, bucket and key of a URL or path."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = protocol or "", text
    scheme = scheme.lower()
    if scheme == "":
        return "", None, "", rest
    host, _, key = rest.partition("/")
    user, at, bucket = host.rpartition("@")
    conn_id = unquote(user) or None if at else None
    if scheme in LOCAL or not bucket:
        return scheme, conn_id, "", f"{bucket}/{key}" if separator else rest
    return scheme, conn_id, bucket, key
