"""Compiles exchanges/*.proto to Python: messages that both sides of the wire read and write, and their types.

The compiler is of the same release as the protobuf package that the runtime has locked, or older, so that what it makes loads there.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str]) -> int:
    """Compiles every definition at once and returns the compiler's exit status."""
    if arguments:
        print(f"usage: bin/protobuf\n\n{__doc__}")
        return 0 if arguments[0] in ("--help", "-h") else 2
    definitions = [path.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob("exchanges/*.proto"))]
    command = [sys.executable, "-m", "grpc_tools.protoc", "--proto_path=.", "--python_out=.", "--pyi_out=.", *definitions]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
