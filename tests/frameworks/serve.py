"""What a server imports: the application that FRAMEWORK names, with the plan that PROBE holds.

As a program it is aiohttp's own server, on the port that is its argument.
"""

from __future__ import annotations

import logging
import os
import sys

from tests.frameworks.frameworks import FRAMEWORKS
from tests.frameworks.probe import Plan
from tests.frameworks.servers import READY

# Whatever is said is looked through for tokens; some servers themselves show cookies when they debug.
logging.basicConfig(level=logging.INFO)
logging.getLogger("sojourn").setLevel(logging.DEBUG)

application = FRAMEWORKS[os.environ["FRAMEWORK"]].application(Plan.from_env())
sys.stderr.write(f"{READY}\n")

if __name__ == "__main__":
    from aiohttp import web

    web.run_app(application, host="127.0.0.1", port=int(sys.argv[1]))
