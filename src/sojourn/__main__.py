"""`python -m sojourn` is the command `sojourn`."""

from __future__ import annotations

import sys

from sojourn.cli import main

sys.exit(main())
