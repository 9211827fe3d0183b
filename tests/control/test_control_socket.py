"""The control socket as a file: who may open it, who has it, and what is said when there can be none."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from assembly.control.listening import ControlSocket
from assembly.control.place import PATH_BYTES_MAX, ControlUnavailable, control_path


def connect(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(os.fspath(path))


def test_socket_and_its_folder_open_for_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "var" / "control.sock"
    before = os.umask(0)
    try:
        with ControlSocket(path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
            connect(path)
    finally:
        os.umask(before)
    assert not path.exists()


def test_umask_is_as_it_was(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with ControlSocket(tmp_path / "control.sock"):
            assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)


def test_socket_of_a_process_that_was_killed_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(os.fspath(path))
    (tmp_path / "control.sock-lock").write_text("4711\n")
    with ControlSocket(path):
        connect(path)


def test_second_run_on_one_socket_is_told_who_has_it_and_the_first_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with ControlSocket(path):
        with pytest.raises(ControlUnavailable, match=rf"belongs to process {os.getpid()}, which is running: stop that one, or give"):
            ControlSocket(path)
        connect(path)
    with ControlSocket(path):
        connect(path)


def test_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    path.write_text("somebody's")
    with pytest.raises(ControlUnavailable, match="is there and is no socket: move it away"):
        ControlSocket(path)
    assert path.read_text() == "somebody's"


def test_path_that_is_too_long_is_refused_with_the_length_that_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / ("x" * PATH_BYTES_MAX)
    with pytest.raises(
        ControlUnavailable, match=f"is {len(os.fsencode(path))} bytes long, and .* may have {PATH_BYTES_MAX}: name a shorter one"
    ):
        ControlSocket(path)


def test_longest_path_that_is_allowed_can_be_bound(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path = tmp_path / ("x" * (PATH_BYTES_MAX - len(os.fsencode(path)) + 1))
    with ControlSocket(path):
        connect(path)


def test_folder_that_cannot_be_made_is_said_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ControlUnavailable, match=r'cannot be made: .*; name another runtime.control_socket, or "" for none'):
        ControlSocket(tmp_path / "file" / "control.sock")


def test_empty_setting_names_no_socket(tmp_path: Path) -> None:
    assert control_path(tmp_path, "") is None
    assert control_path(tmp_path, "var/control.sock") == tmp_path / "var" / "control.sock"
