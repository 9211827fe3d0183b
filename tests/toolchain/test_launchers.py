"""The launchers in bin/, from outside: as processes, in a copy of the checkout's launcher files, with a tiny lock file."""

from __future__ import annotations

import base64
import copy
import fcntl
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

REPORTING_COMMAND = """
import json, os, sys
import sample
arguments = {"arguments": sys.argv[1:], "folder": os.getcwd(), "process": os.getpid(), "prefix": sys.prefix, "module": __file__,
             "path": sys.path, "sample": sample.__file__, "input": sys.stdin.read()}
print(json.dumps(arguments))
sys.exit(7 if "fail" in sys.argv else 0)
"""

TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class Started:
    status: int
    stdout: str
    stderr: str

    @property
    def report(self) -> dict[str, object]:
        return json.loads(self.stdout)


class Checkout:
    """A checkout with the real launchers, a lock of one package found in a local folder, and a program that reports how it was started."""

    def __init__(self, root: Path, wheels: Path) -> None:
        self.root = root
        shutil.copytree(ROOT / "bin", root / "bin", ignore=shutil.ignore_patterns("__pycache__"))
        (root / "assembly").mkdir()
        (root / "assembly" / "__init__.py").touch()
        (root / "assembly" / "command.py").write_text(REPORTING_COMMAND)
        (root / "requirements").mkdir()
        wheels.mkdir(exist_ok=True)
        (root / "requirements" / "runtime.lock").write_text(build_wheel(wheels))
        self.environ = {
            "PATH": f"{Path(sys.executable).resolve().parent}:/usr/bin:/bin",
            "HOME": str(wheels),
            "MM_PYTHON": str(Path(sys.executable).resolve()),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": wheels.as_uri(),
            "PIP_CONFIG_FILE": os.devnull,
        }

    @property
    def launcher(self) -> Path:
        return self.root / "bin" / "mm-runtime"

    @property
    def environments(self) -> Path:
        return self.root / ".environments"

    def made(self) -> list[Path]:
        """The folders of environments there are, whole or not."""
        return [path for path in self.environments.glob("runtime-*") if path.is_dir()]

    def begin(self, *arguments: str, launcher: Path | None = None, folder: Path | None = None, **environ: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(launcher or self.launcher), *arguments],
            cwd=folder,
            env={**self.environ, **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # so that a test can kill all of it
        )

    def start(self, *arguments: str, launcher: Path | None = None, folder: Path | None = None, **environ: str) -> Started:
        return end(self.begin(*arguments, launcher=launcher, folder=folder, **environ))


def end(process: subprocess.Popen[str]) -> Started:
    stdout, stderr = process.communicate(input="what was typed", timeout=TIMEOUT_SECONDS)
    return Started(process.returncode, stdout, stderr)


def build_wheel(folder: Path) -> str:
    """Writes sample-1.0 into the folder and returns the lock that names it with its hash."""
    files = {
        "sample.py": "",
        "sample-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: sample\nVersion: 1.0\n",
        "sample-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digests = {name: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode() for name, text in files.items()}
    record = "".join(f"{name},sha256={digests[name]},{len(text)}\n" for name, text in files.items())
    wheel = folder / "sample-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in {**files, "sample-1.0.dist-info/RECORD": f"{record}sample-1.0.dist-info/RECORD,,\n"}.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return f"sample==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    (tmp_path / "a checkout").mkdir()
    return Checkout(tmp_path / "a checkout", tmp_path / "wheels")


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout that is set up already; shared, so tests leave it as it is."""
    folder = tmp_path_factory.mktemp("ready")
    (folder / "a checkout").mkdir()
    checkout = Checkout(folder / "a checkout", folder / "wheels")
    assert checkout.start().status == 0
    return checkout


@pytest.fixture
def reporting(checkout: Checkout) -> Checkout:
    """A checkout whose program is that of `mm-report`, with a lock of its own for Parquet."""
    (checkout.root / "assembly" / "report").mkdir()
    (checkout.root / "assembly" / "report" / "__init__.py").touch()
    (checkout.root / "assembly" / "report" / "command.py").write_text(REPORTING_COMMAND)
    shutil.copy(checkout.root / "requirements" / "runtime.lock", checkout.root / "requirements" / "parquet.lock")
    return checkout


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (("journal.db",), "runtime"),
        (("journal.db", "--csv", "parquet"), "runtime"),
        (("journal.db", "--parquet", "a folder"), "parquet"),
        (("--parquet=folder", "journal.db"), "parquet"),
    ],
)
def test_only_a_report_in_parquet_gets_the_environment_that_can_write_it(
    reporting: Checkout, arguments: tuple[str, ...], kind: str
) -> None:
    started = reporting.start(*arguments, launcher=reporting.root / "bin" / "mm-report")
    assert started.status == 0, started.stderr
    assert started.report["arguments"] == list(arguments)
    assert Path(str(started.report["prefix"])).name.startswith(f"{kind}-")
    assert [path.name.partition("-")[0] for path in reporting.environments.glob("*-*") if path.is_dir()] == [kind]


@pytest.fixture
def few_programs(tmp_path: Path) -> Path:
    """A folder for PATH with what the launchers need and no Python."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("sh", "readlink", "cat", "cksum"):
        program = shutil.which(name)
        assert program
        (folder / name).symlink_to(program)
    return folder


def fake_python(folder: Path, name: str, script: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_first_start_sets_up_and_speaks_to_standard_error_only(checkout: Checkout) -> None:
    started = checkout.start("--json")
    assert started.status == 0, started.stderr
    assert started.stdout.count("\n") == 1
    assert started.report["arguments"] == ["--json"]
    assert started.report["input"] == "what was typed"
    assert "Setting up the runtime environment" in started.stderr
    assert "sample 1.0" in started.stderr
    assert str(started.report["sample"]).startswith(str(started.report["prefix"]))


def test_second_start_says_nothing_and_starts_no_setup(ready: Checkout) -> None:
    # With this PATH and no pip source, anything that set up, or looked for a Python, would fail.
    started = ready.start(PIP_FIND_LINKS="")
    assert started.status == 0
    assert started.stderr == ""


def test_program_gets_arguments_folder_input_process_and_status_untouched(ready: Checkout, tmp_path: Path) -> None:
    process = ready.begin("two words", "*", "", "--flag=$HOME", "fail", folder=tmp_path)
    started = end(process)
    assert started.status == 7
    assert started.report["arguments"] == ["two words", "*", "", "--flag=$HOME", "fail"]
    assert started.report["folder"] == str(tmp_path)
    assert started.report["input"] == "what was typed"
    assert started.report["process"] == process.pid


def test_modules_in_the_working_folder_or_pythonpath_do_not_shadow_the_programs(ready: Checkout, tmp_path: Path) -> None:
    for name in ("sample.py", "json.py"):
        (tmp_path / name).write_text("raise SystemExit('shadowed')")
    started = ready.start(folder=tmp_path, PYTHONPATH=str(tmp_path), PYTHONHOME=str(tmp_path))
    assert started.status == 0, started.stderr
    assert str(tmp_path) not in started.report["path"]  # type: ignore[operator]


def test_launcher_works_through_symbolic_links(ready: Checkout, tmp_path: Path) -> None:
    (tmp_path / "first").symlink_to(ready.launcher)
    (tmp_path / "second").symlink_to("first")
    started = ready.start(launcher=tmp_path / "second")
    assert started.status == 0, started.stderr
    assert started.report["module"] == str(ready.root / "assembly" / "command.py")


def test_no_python_at_all_is_said_with_status_2(checkout: Checkout, few_programs: Path) -> None:
    started = checkout.start(PATH=str(few_programs), MM_PYTHON="")
    assert started.status == 2
    assert "Python 3.11 or newer is needed and none was found" in started.stderr
    assert "MM_PYTHON" in started.stderr
    assert started.stdout == ""


def test_unfit_pythons_are_passed_over_and_each_is_explained(checkout: Checkout, few_programs: Path) -> None:
    fake_python(few_programs, "python3", "exit 10")
    fake_python(few_programs, "python3.13", "exit 127")
    fake_python(few_programs, "python3.12", "exit 11")
    started = checkout.start(PATH=str(few_programs), MM_PYTHON="")
    assert started.status == 2
    assert f"{few_programs}/python3 is older than 3.11" in started.stderr
    assert f"{few_programs}/python3.13 does not start" in started.stderr
    assert "lacks the modules venv and ensurepip" in started.stderr


def test_first_fit_python_is_found_behind_an_unfit_one(checkout: Checkout, few_programs: Path) -> None:
    fake_python(few_programs, "python3", "exit 10")
    fake_python(few_programs, "python3.11", f'exec "{Path(sys.executable).resolve()}" "$@"')
    started = checkout.start(PATH=str(few_programs), MM_PYTHON="")
    assert started.status == 0, started.stderr


def test_mm_python_that_is_no_program_or_unfit_is_refused_without_a_substitute(checkout: Checkout, tmp_path: Path) -> None:
    started = checkout.start(MM_PYTHON="/no/such/python")
    assert (started.status, "MM_PYTHON names '/no/such/python'" in started.stderr) == (2, True)
    started = checkout.start(MM_PYTHON=str(fake_python(tmp_path, "old", "exit 10")))
    assert (started.status, "is older than 3.11" in started.stderr) == (2, True)


def test_folder_that_cannot_be_written_is_said_with_status_2_and_can_be_replaced(checkout: Checkout, tmp_path: Path) -> None:
    checkout.environments.write_text("in the way")
    started = checkout.start()
    assert started.status == 2
    assert f"cannot write to {checkout.environments}" in started.stderr
    assert "MM_ENVIRONMENTS" in started.stderr
    assert checkout.start(MM_ENVIRONMENTS=str(tmp_path / "elsewhere")).status == 0


@pytest.mark.parametrize(("keep", "complaint"), [(-9, "DO NOT MATCH THE HASHES"), (len("sample==1.0"), "Hashes are required")])
def test_package_with_another_hash_or_none_is_refused_and_nothing_counts_as_set_up(checkout: Checkout, keep: int, complaint: str) -> None:
    lock = checkout.root / "requirements" / "runtime.lock"
    lock.write_text(lock.read_text()[:keep] + ("00000000\n" if keep < 0 else "\n"))
    started = checkout.start()
    assert started.status == 1
    assert complaint in started.stderr
    assert started.stdout == ""
    assert not list(checkout.environments.glob("*/complete"))


def copy_of(ready: Checkout, folder: Path) -> Checkout:
    """The checkout with its environments at another place, as a move leaves it."""
    moved = copy.copy(ready)
    moved.root = folder / "moved"
    shutil.copytree(ready.root, moved.root, symlinks=True)
    return moved


def test_moved_checkout_sets_itself_up_again_and_drops_what_came_along(ready: Checkout, tmp_path: Path) -> None:
    checkout = copy_of(ready, tmp_path)
    started = checkout.start()
    assert started.status == 0, started.stderr
    assert "Setting up" in started.stderr
    assert checkout.made() == [Path(str(started.report["prefix"]))]
    assert checkout.start().stderr == ""


def test_changed_lock_makes_a_new_environment_and_keeps_only_the_one_before(checkout: Checkout) -> None:
    prefixes: list[Path] = []
    for number in range(3):
        with (checkout.root / "requirements" / "runtime.lock").open("a") as file:
            file.write(f"# changed {number}\n")
        prefixes.append(Path(str(checkout.start().report["prefix"])))
        assert sorted(checkout.made()) == sorted(prefixes[-2:])
        assert (checkout.environments / "runtime").resolve() == prefixes[-1]


def test_environment_whose_python_is_gone_is_made_again(ready: Checkout) -> None:
    (environment,) = ready.made()
    (environment / "bin" / "python").unlink()
    (environment / "bin" / "python").symlink_to("/no/such/python3.11")
    started = ready.start()
    assert started.status == 0, started.stderr
    assert "Setting up" in started.stderr


@pytest.fixture
def silent_index() -> Iterator[socket.socket]:
    """A package index that takes a connection and never answers: pip hangs on it for as long as a test wants."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(TIMEOUT_SECONDS)
        yield server


def begin_endless_setup(checkout: Checkout, silent_index: socket.socket) -> tuple[subprocess.Popen[str], socket.socket]:
    """Starts a setup and returns when its pip is in the middle of its work."""
    url = f"http://127.0.0.1:{silent_index.getsockname()[1]}/"
    process = checkout.begin(PIP_NO_INDEX="0", PIP_INDEX_URL=url, PIP_FIND_LINKS="", PIP_DEFAULT_TIMEOUT=str(TIMEOUT_SECONDS))
    return process, silent_index.accept()[0]


def test_setup_that_was_killed_is_repaired_by_the_next_start(checkout: Checkout, silent_index: socket.socket) -> None:
    process, connection = begin_endless_setup(checkout, silent_index)
    with connection:
        os.killpg(process.pid, signal.SIGKILL)
        assert end(process).stdout == ""
    (left_behind,) = checkout.made()
    started = checkout.start()
    assert started.status == 0, started.stderr
    assert "Setting up" in started.stderr
    assert "waiting" not in started.stderr
    assert Path(str(started.report["prefix"])) == left_behind


def assert_setup_ended(process: subprocess.Popen[str], connection: socket.socket, checkout: Checkout) -> Started:
    with connection:
        started = end(process)
        connection.settimeout(TIMEOUT_SECONDS)
        while connection.recv(4096):  # ends when pip, the other side of this connection, is gone
            pass
    assert not list(checkout.environments.glob("*/complete"))
    return started


def test_ctrl_c_during_setup_ends_it_and_its_pip(checkout: Checkout, silent_index: socket.socket) -> None:
    process, connection = begin_endless_setup(checkout, silent_index)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    started = assert_setup_ended(process, connection, checkout)
    assert started.status in (130, -signal.SIGINT)
    assert "Setting up was interrupted" in started.stderr


def test_setup_that_is_terminated_takes_its_pip_along(checkout: Checkout, silent_index: socket.socket) -> None:
    process, connection = begin_endless_setup(checkout, silent_index)
    (setup,) = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True).stdout.split()
    os.kill(int(setup), signal.SIGTERM)
    assert assert_setup_ended(process, connection, checkout).status == 128 + signal.SIGTERM


def test_start_during_another_ones_setup_says_so_and_waits(checkout: Checkout) -> None:
    checkout.environments.mkdir()
    with (checkout.environments / "runtime.held").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        process = checkout.begin()
        assert process.stderr is not None
        assert process.stderr.readline() == "Another start is setting up the runtime environment; waiting for it.\n"
        assert process.poll() is None
    assert end(process).status == 0


def test_two_first_starts_at_once_both_run_and_only_one_sets_up(checkout: Checkout) -> None:
    both = [checkout.begin(str(number)) for number in range(2)]
    ended = [end(process) for process in both]
    assert [started.status for started in ended] == [0, 0], ended
    assert [started.report["arguments"] for started in ended] == [["0"], ["1"]]
    assert sum(started.stderr.count("is ready after") for started in ended) == 1


def test_lock_file_that_is_missing_is_said_with_status_2(checkout: Checkout) -> None:
    started = checkout.start(MM_LOCK="/no/such.lock")
    assert (started.status, "the lock file /no/such.lock cannot be read" in started.stderr) == (2, True)


def test_every_launcher_is_executable_and_only_names_its_environment_and_module() -> None:
    launchers = [path for path in (ROOT / "bin").iterdir() if path.is_file()]
    assert {"mm-runtime", "mm-sim", "mm-soak", "test", "lock"} <= {path.name for path in launchers}
    for launcher in launchers:
        lines = launcher.read_text().splitlines()
        assert os.access(launcher, os.X_OK), launcher
        assert lines[0] == "#!/bin/sh", launcher
        assert lines[1].startswith("# "), launcher
        assert lines[2] == 'launcher=$(readlink -f -- "$0") && . "${launcher%/*}/lib/environment.sh" || exit 2', launcher
        assert lines[-1].startswith("become_python "), launcher
        assert lines[-1].endswith(' "$@"'), launcher
        assert len(lines) == 4 or launcher.name == "mm-report", launcher  # whose environment depends on what is asked for
