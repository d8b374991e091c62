"""Writes the report of a kept run anew, for docs/report.png:

    .venv/bin/python docs/report.py evidence/results.json > report.html
    chromium --headless --hide-scrollbars --window-size=1000,1750 --screenshot=docs/report.png report.html

The page says what the results say; only a bundle's own files stand in its manifest.
"""

from __future__ import annotations

import sys
from pathlib import Path

from securepacs_harness.evidence import page
from securepacs_harness.results import Run

if __name__ == "__main__":
    sys.stdout.write(page.write(Run.model_validate_json(Path(sys.argv[1]).read_bytes())))
