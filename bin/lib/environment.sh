# Sourced by every launcher in bin/, never run: makes sure the Python environment of a tool exists, then becomes the tool.
#
# Expects $launcher, the launcher's real path. An environment is a folder .environments/KIND-KEY made from
# requirements/KIND.lock, where KEY names the lock's content, this checkout's place and MM_PYTHON. A changed lock, a moved
# checkout or another Python therefore means a new environment beside the old one, and a runtime that is trading from the
# old one keeps its files. The check at each start is one checksum and starts no Python.
#
#   MM_PYTHON         the Python to build with (default: the first of python3, python3.14 … python3.11 that is fit)
#   MM_ENVIRONMENTS   the folder that holds the environments (default: .environments in the checkout)
#   MM_LOCK           another lock file to install from (the tests of the launchers use it)

root=${launcher%/*/*}

fail() {
    printf '%s: %s\n' "${launcher##*/}" "$1" >&2
    exit 2
}

# Sets $python to an interpreter that can build an environment, or ends with status 2.
find_python() {
    unfit=
    for candidate in ${MM_PYTHON:+"$MM_PYTHON"} python3 python3.14 python3.13 python3.12 python3.11 python; do
        python=$(command -v -- "$candidate") || python=
        if [ -n "$python" ]; then
            # A version manager's shim exists for Pythons that are not installed: only a run tells.
            "$python" -I -c '
import sys
if sys.version_info < (3, 11): sys.exit(10)
try: import ensurepip, venv
except ImportError: sys.exit(11)' </dev/null >/dev/null 2>&1
            case $? in
                0) return ;;
                10) problem="is older than 3.11" ;;
                11) problem="lacks the modules venv and ensurepip (on Debian and Ubuntu: install the package python3-venv)" ;;
                *) problem="does not start" ;;
            esac
            unfit="$unfit
  $python $problem"
        fi
        if [ -n "${MM_PYTHON-}" ]; then
            [ -n "$python" ] || fail "MM_PYTHON names '$MM_PYTHON', which is not a program here. Name a Python 3.11 or newer, or unset it."
            fail "MM_PYTHON cannot be used:$unfit"
        fi
    done
    fail "Python 3.11 or newer is needed and none was found. Install one, or name it: MM_PYTHON=/path/to/python3.12 ${launcher##*/}${unfit:+
Looked at:$unfit}"
}

# Sets $environment to a whole environment of the kind $1, made now if it is not there.
use_environment() {
    lock=${MM_LOCK:-$root/requirements/$1.lock}
    environments=${MM_ENVIRONMENTS:-$root/.environments}
    case $environments in /*) ;; *) environments=$PWD/$environments ;; esac
    [ -r "$lock" ] || fail "the lock file $lock cannot be read: the checkout is incomplete."
    key=$({ printf '%s\n' "$root" "${MM_PYTHON-}"; cat -- "$lock"; } | cksum) || fail "cat and cksum are needed and did not work."
    environment=$environments/$1-${key%% *}
    # bin/python links to the interpreter's real file, so -x also fails when that Python was removed or replaced.
    if [ ! -f "$environment/complete" ] || [ ! -x "$environment/bin/python" ]; then
        find_python
        "$python" -I "$root/bin/lib/make_environment.py" "$1" "$environment" "$lock" "$root" </dev/null >&2 || exit $?
    fi
}

# Becomes `python ARGUMENTS…` in the environment of the kind $1: same process id, same working folder, same streams.
become_python() {
    use_environment "$1"
    shift
    # The checkout and nothing else: neither the user's working folder nor their PYTHONPATH can shadow a locked package.
    unset PYTHONHOME
    export PYTHONPATH="$root" PYTHONSAFEPATH=1 PYTHONUTF8=1
    exec "$environment/bin/python" "$@"
}
