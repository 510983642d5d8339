"""What importing Sojourn brings along.  The direction of imports is import-linter's."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from typing import cast

from tests.architecture.source import MODULES, imports_of, name_of, tree_of

THIRD_PARTY = {"ormsgpack"}

# What a program that wants the core alone must not pay for.
ONLY_WHEN_ASKED = ("sojourn.web", "sojourn.cli", "sojourn.testing", "sojourn.__main__")

PROBE = """
import sys, threading
before = set(sys.modules)
import sojourn
import json
print(json.dumps([sorted(set(sys.modules) - before), threading.active_count()]))
"""


def imported() -> tuple[list[str], int]:
    """The modules that `import sojourn` loads, and the threads that run afterwards."""
    run = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, timeout=60
    )
    return cast("tuple[list[str], int]", tuple(json.loads(run.stdout)))


def test_importing_sojourn_loads_one_dependency_and_starts_no_thread() -> None:
    modules, threads = imported()
    roots = {name.partition(".")[0] for name in modules}
    ours = {name for name in roots if not name.startswith("_sysconfigdata")}  # made by the build
    assert ours - sys.stdlib_module_names - {"sojourn"} == THIRD_PARTY
    assert threads == 1


def test_importing_sojourn_loads_no_more_than_the_core() -> None:
    modules, _ = imported()
    assert [name for name in modules if name.startswith(ONLY_WHEN_ASKED)] == []
    assert len([name for name in modules if name.partition(".")[0] == "sojourn"]) <= 53


SYNCHRONOUS = """
import sys, tempfile
before = set(sys.modules)
from sojourn import Manager
from sojourn.providers.file import FileProvider
from sojourn.web.wsgi import SessionMiddleware
with tempfile.TemporaryDirectory() as folder:
    for provider in ("memory", FileProvider(folder)):
        manager = Manager(provider, cookie_name="sid")
        with manager.open({}) as session:
            session["n"] = 1
        manager.close()
loaded = sorted(set(sys.modules) - before)
import json
print(json.dumps(loaded))
"""


def test_a_synchronous_application_does_without_asyncio() -> None:
    """Which takes longer to import than all of Sojourn, with the ssl and the sockets that it needs."""
    run = subprocess.run(
        [sys.executable, "-c", SYNCHRONOUS], capture_output=True, text=True, check=True, timeout=60
    )
    late = {"asyncio", "concurrent", "difflib", "json", "selectors", "socket", "ssl", "subprocess"}
    assert late.isdisjoint(name.partition(".")[0] for name in json.loads(run.stdout))


def test_randomness_comes_from_one_file() -> None:
    sources = {"secrets", "random", "uuid.uuid4", "os.urandom"}
    users = {
        name_of(module)
        for module in MODULES
        if imports_of(module) & sources or attributes_of(tree_of(module)) & sources
        # A simulation draws numbers from its seed, so that it can be repeated.
        if "testing/simulation" not in name_of(module)
    }
    assert users == {"sojourn/_tokens.py"}


def attributes_of(tree: ast.AST) -> set[str]:
    """The `module.name` expressions, and `from module import name`, in the same spelling."""
    found = set[str]()
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=origin), attr=name):
                found.add(f"{origin}.{name}")
            case ast.ImportFrom(module=str(origin), names=names):
                found.update(f"{origin}.{alias.name}" for alias in names)
    return found


def test_nothing_stored_is_ever_run() -> None:
    """No pickle and its kin, no eval: what a store holds is data."""
    modules = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle"}
    calls = {"eval", "exec", "compile", "__import__"}
    for module in MODULES:
        named = {node.id for node in ast.walk(tree_of(module)) if isinstance(node, ast.Name)}
        assert not imports_of(module) & modules, name_of(module)
        assert not named & calls, name_of(module)
