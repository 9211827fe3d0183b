"""Where the control socket of a settings file is. Both sides ask here, so that they mean the same place."""

from __future__ import annotations

import os
import sys
from pathlib import Path

CONTROL_SOCKET = "var/control.sock"  # from the settings file's folder
# What the system's address structure holds, less the zero at its end.
PATH_BYTES_MAX = 107 if sys.platform == "linux" else 103


class ControlUnavailable(Exception):
    """There can be no control socket here; the text says why, and what to do about it."""


def control_path(folder: Path, setting: str) -> Path | None:
    """The socket that `runtime.control_socket` names in a settings file of that folder; None for none."""
    return folder / setting if setting else None


def lock_path(path: Path) -> Path:
    """The file whose lock says that a process listens at `path`, and whose text says which. One left behind means nothing."""
    return path.with_name(f"{path.name}-lock")


def check_length(path: Path) -> None:
    """
    Raises:
        ControlUnavailable: no socket can have this path.
    """
    length = len(os.fsencode(path))
    if length > PATH_BYTES_MAX:
        raise ControlUnavailable(
            f"runtime.control_socket: {path} is {length} bytes long, and the path of a Unix socket may have {PATH_BYTES_MAX}: "
            'name a shorter one, or "" for a run that cannot be spoken to'
        )


def process_at(path: Path) -> str:
    """The process that has said that it listens there, in words."""
    try:
        text = lock_path(path).read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        text = ""
    return f"process {text}" if text.isdigit() else "another process"
