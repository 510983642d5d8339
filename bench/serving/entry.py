"""The module that a server imports: the application that the variables of its environment name."""

from __future__ import annotations

import os
from importlib import import_module

application = import_module(f"bench.serving.apps.{os.environ['FRAMEWORK'].lower()}").application(
    os.environ["LIBRARY"], os.environ["STORE"]
)
