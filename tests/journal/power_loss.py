"""What a power loss may leave of a journal: every write, truncation and sync that SQLite makes, and files as any disk may have them then.

The recorder is a layer of SQLite's own (a VFS) around the one that it has: it notes what passes, in the order in which it
passes, and lets it pass. Of what was synced all is there after a power loss; of what was written since, any part may be, in
pieces of 512 bytes. That files exist is taken for granted, and that they are deleted only where their folder was synced.
"""

from __future__ import annotations

import _sqlite3
import ctypes
import random
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

PIECE_BYTES = 512


class Written(msgspec.Struct, frozen=True):
    file: str
    offset: int
    data: bytes


class Truncated(msgspec.Struct, frozen=True):
    file: str
    size: int


class Synced(msgspec.Struct, frozen=True):
    file: str


class Deleted(msgspec.Struct, frozen=True):
    file: str
    is_synced: bool


class Happened(msgspec.Struct, frozen=True):
    """What the program knew at this point."""

    what: str


Step = Written | Truncated | Synced | Deleted | Happened
Change = Written | Truncated


class SqliteVfs(ctypes.Structure):
    """`sqlite3_vfs`, as far as it is looked into."""

    _fields_ = (
        ("version", ctypes.c_int),
        ("file_bytes", ctypes.c_int),
        ("path_length_max", ctypes.c_int),
        ("next", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("data", ctypes.c_void_p),
        ("open", ctypes.c_void_p),
        ("delete", ctypes.c_void_p),
        ("others", ctypes.c_void_p * 14),
    )


class SqliteMethods(ctypes.Structure):
    """`sqlite3_io_methods`."""

    _fields_ = (
        ("version", ctypes.c_int),
        ("close", ctypes.c_void_p),
        ("read", ctypes.c_void_p),
        ("write", ctypes.c_void_p),
        ("truncate", ctypes.c_void_p),
        ("sync", ctypes.c_void_p),
        ("others", ctypes.c_void_p * 13),
    )


# A name is a pointer, as SQLite keeps it for as long as the file is open.
_OPEN = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
_DELETE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int)
_WRITE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int64)
_TRUNCATE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int64)
_SYNC = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)


class Recorder:
    """All that happens to the databases that are opened while it is installed, and are closed before it is not."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._library = ctypes.CDLL(_sqlite3.__file__)
        self._library.sqlite3_vfs_find.restype = ctypes.c_void_p
        self._library.sqlite3_vfs_register.argtypes = (ctypes.c_void_p, ctypes.c_int)
        self._library.sqlite3_vfs_unregister.argtypes = (ctypes.c_void_p,)
        self._names: dict[int, str] = {}
        self._methods: dict[int, SqliteMethods] = {}
        self._kept: list[Any] = []
        self._vfs = SqliteVfs.from_buffer_copy(SqliteVfs.from_address(self._library.sqlite3_vfs_find(None)))
        self._vfs.name = b"recording"
        self._original_open = _OPEN(self._vfs.open)
        self._original_delete = _DELETE(self._vfs.delete)
        self._vfs.open = self._address(_OPEN(self._open))
        self._vfs.delete = self._address(_DELETE(self._delete))

    @contextmanager
    def installed(self) -> Generator[None]:
        self._library.sqlite3_vfs_register(ctypes.addressof(self._vfs), 1)
        try:
            yield
        finally:
            self._library.sqlite3_vfs_unregister(ctypes.addressof(self._vfs))

    def happened(self, what: str) -> None:
        self.steps.append(Happened(what))

    def _address(self, function: Any) -> int | None:
        self._kept.append(function)  # or it would be collected while SQLite has it
        return ctypes.cast(function, ctypes.c_void_p).value

    def _open(self, vfs: int, name: int | None, file: int, flags: int, flags_out: int) -> int:
        result = self._original_open(vfs, name, file, flags, flags_out)
        pointer = ctypes.c_void_p.from_address(file)
        if name is not None and pointer.value is not None:
            self._names[file] = Path(ctypes.string_at(name).decode()).name
            if pointer.value not in self._methods:
                self._methods[pointer.value] = self._noting(SqliteMethods.from_address(pointer.value))
            pointer.value = ctypes.addressof(self._methods[pointer.value])
        return int(result)

    def _noting(self, original: SqliteMethods) -> SqliteMethods:
        methods = SqliteMethods.from_buffer_copy(original)
        write, truncate, sync = _WRITE(original.write), _TRUNCATE(original.truncate), _SYNC(original.sync)

        def note_write(file: int, data: int, size: int, offset: int) -> int:
            self.steps.append(Written(self._names[file], offset, ctypes.string_at(data, size)))
            return int(write(file, data, size, offset))

        def note_truncate(file: int, size: int) -> int:
            self.steps.append(Truncated(self._names[file], size))
            return int(truncate(file, size))

        def note_sync(file: int, flags: int) -> int:
            self.steps.append(Synced(self._names[file]))
            return int(sync(file, flags))

        methods.write = self._address(_WRITE(note_write))
        methods.truncate = self._address(_TRUNCATE(note_truncate))
        methods.sync = self._address(_SYNC(note_sync))
        return methods

    def _delete(self, vfs: int, name: bytes, sync_folder: int) -> int:
        self.steps.append(Deleted(Path(name.decode()).name, bool(sync_folder)))
        return int(self._original_delete(vfs, name, sync_folder))


Choice = Callable[[list[Change], random.Random], list[Change]]
"""What the disk has of the changes that were not synced."""


def nothing(changes: list[Change], rng: random.Random) -> list[Change]:
    del changes, rng
    return []


def everything(changes: list[Change], rng: random.Random) -> list[Change]:
    del rng
    return changes


def torn_end(changes: list[Change], rng: random.Random) -> list[Change]:
    """The first ones, and of the last of them only a part, cut anywhere."""
    kept = changes[: rng.randrange(len(changes) + 1)]
    if kept and isinstance(last := kept[-1], Written):
        kept[-1] = Written(last.file, last.offset, last.data[: rng.randrange(len(last.data) + 1)])
    return kept


def any_pieces(changes: list[Change], rng: random.Random) -> list[Change]:
    """Any of them, in pieces, however much later or earlier than what is missing."""
    share = rng.random()
    return [piece for change in changes for piece in _pieces(change) if rng.random() < share]


def all_but_one(changes: list[Change], rng: random.Random) -> list[Change]:
    pieces = [piece for change in changes for piece in _pieces(change)]
    if pieces:
        del pieces[rng.randrange(len(pieces))]
    return pieces


CHOICES: tuple[Choice, ...] = (nothing, everything, torn_end, any_pieces, all_but_one)


def _pieces(change: Change) -> list[Change]:
    if isinstance(change, Truncated):
        return [change]
    pieces: list[Change] = []
    start = 0
    while start < len(change.data):
        end = min(len(change.data), start + PIECE_BYTES - (change.offset + start) % PIECE_BYTES)
        pieces.append(Written(change.file, change.offset + start, change.data[start:end]))
        start = end
    return pieces


class Disk:
    """The files as they are while steps happen to them, and as they may be after a power loss between two steps."""

    def __init__(self) -> None:
        self._synced: dict[str, bytearray] = {}
        self._pending: dict[str, list[Change]] = {}
        self._deleted: set[str] = set()

    def take(self, step: Step) -> None:
        match step:
            case Written() | Truncated():
                if step.file in self._deleted:  # another file of the same name
                    self._forget(step.file)
                self._synced.setdefault(step.file, bytearray())
                self._pending.setdefault(step.file, []).append(step)
            case Synced():
                content = self._synced.setdefault(step.file, bytearray())
                for change in self._pending.pop(step.file, []):
                    _apply(content, change)
            case Deleted():
                if step.is_synced:
                    self._forget(step.file)
                else:
                    self._deleted.add(step.file)
            case Happened():
                pass

    def _forget(self, name: str) -> None:
        self._deleted.discard(name)
        self._synced.pop(name, None)
        self._pending.pop(name, None)

    def after_power_loss(self, choice: Choice, rng: random.Random) -> dict[str, bytes]:
        """The content of each file."""
        files: dict[str, bytes] = {}
        for name, synced in self._synced.items():
            if name in self._deleted and rng.random() < 0.5:
                continue
            content = bytearray(synced)
            for change in choice(list(self._pending.get(name, ())), rng):
                _apply(content, change)
            files[name] = bytes(content)
        return files


def _apply(content: bytearray, change: Change) -> None:
    if isinstance(change, Truncated):
        del content[change.size :]
        return
    if len(content) < change.offset:
        content.extend(bytes(change.offset - len(content)))
    content[change.offset : change.offset + len(change.data)] = change.data


def told(steps: Sequence[Step], word: str) -> list[str]:
    """What happened of this kind, as `word something`."""
    return [step.what.removeprefix(f"{word} ") for step in steps if isinstance(step, Happened) and step.what.startswith(f"{word} ")]
