"""Writes the pictures that `test_presenter_frames` compares with. Look at the difference before committing it.

python tests/assembly/write_golden_frames.py
"""

from __future__ import annotations

import sys
from pathlib import Path

FOLDER = Path(__file__).parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parent.parent)]

from test_presenter_frames import FRAMES, frame_path, picture  # noqa: E402

if __name__ == "__main__":
    for name, width, height in FRAMES:
        path = frame_path(name, width, height)
        path.parent.mkdir(exist_ok=True)
        path.write_text(picture(name, width, height), encoding="utf-8")
