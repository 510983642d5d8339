"""A sync class and its async twin are the same text, but for the words that make it async.

So whoever reads one has read both, and a change to one that is forgotten in the other fails here.
"""

from __future__ import annotations

import ast
import difflib
import re

import pytest

from tests.architecture.source import SRC

# File, sync class, and the methods in which the two may differ.
PAIRS: list[tuple[str, str, set[str]]] = [
    ("sojourn/manager.py", "Manager", set()),
    ("sojourn/_queue/runner.py", "Runner", set()),
    ("sojourn/_sweeper.py", "Lease", set()),
    ("sojourn/_reading.py", "Reader", set()),
    ("sojourn/providers/compare_and_swap.py", "CompareAndSwapProvider", set()),
    ("sojourn/providers/redis/provider.py", "RedisProvider", {"__init__"}),
    ("sojourn/providers/redis/listing.py", "Lister", set()),
    ("sojourn/providers/redis/index_repair.py", "IndexRepair", set()),
    ("sojourn/providers/redis/executor.py", "Executor", set()),
    ("sojourn/providers/redis/cluster.py", "Cluster", set()),
    ("sojourn/providers/sql/provider.py", "SQLProvider", set()),
    ("sojourn/providers/sql/executor.py", "Executor", set()),
    ("sojourn/providers/sql/link.py", "Link", set()),
    ("sojourn/providers/sql/postgres_connections.py", "PostgresConnection", set()),
    ("sojourn/testing/_tools.py", "Trips", set()),
]

# Names that belong together though they do not differ by the prefix `Async` alone.
WORDS = {
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "aclosing": "closing",
    "aiter": "iter",
    "anext": "next",
    "async_each": "each",
    "async_provider_for": "provider_for",
    "async_run": "run",
    "async_sleep": "sleep",
    "async_undisturbed": "undisturbed",
    "asynccontextmanager": "contextmanager",
    "Multiplexed": "Server",  # how tasks reach a Redis, and how threads do
    "AbstractAsyncContextManager": "AbstractContextManager",
    "StopAsyncIteration": "StopIteration",
}


def made_sync(source: str) -> str:
    """The source without `async`, `await` and the prefix `Async`."""
    for word, twin in WORDS.items():
        source = re.sub(rf"\b{word}\b", twin, source)
    source = re.sub(r"\basync (?=def|for|with)", "", source)
    source = re.sub(r"\bawait ", "", source)
    source = re.sub(r"\b([Aa])n (?=`?Async[A-Z])", r"\1 ", source)
    return re.sub(r"\bAsync(?=[A-Z])", "", source)


def class_in(source: str, name: str, outside: set[str]) -> str:
    """One class with its docstrings, in Python's own layout, without the methods outside."""
    [found] = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef) and node.name == name
    ]
    found.body = [node for node in found.body if getattr(node, "name", None) not in outside]
    return ast.unparse(found)


def difference(source: str, name: str, outside: set[str]) -> str:
    sync = class_in(source, name, outside)
    twin = ast.unparse(ast.parse(made_sync(class_in(source, f"Async{name}", outside))))
    return "\n".join(difflib.unified_diff(sync.splitlines(), twin.splitlines(), lineterm="", n=1))


@pytest.mark.parametrize(("file", "name", "outside"), PAIRS, ids=str)
def test_twins_are_the_same_text(file: str, name: str, outside: set[str]) -> None:
    source = (SRC / file).read_text(encoding="utf-8")
    assert difference(source, name, outside) == ""


@pytest.mark.parametrize(("file", "name", "outside"), PAIRS, ids=str)
def test_what_stands_outside_exists_in_both(file: str, name: str, outside: set[str]) -> None:
    tree = ast.parse((SRC / file).read_text(encoding="utf-8"))
    for twin in (name, f"Async{name}"):
        [found] = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == twin]
        assert outside <= {getattr(node, "name", "") for node in found.body}


TWINS = '''
class Reader(Base[Thing]):
    """Reads. A Reader is closed by its block."""
    def __enter__(self): return self
    @contextmanager
    def open(self) -> Iterator[Thing]:
        with self.lock:
            for thing in self.read(): yield (thing.ready()).now
    def background(self): return Thread()

class AsyncReader(AsyncBase[Thing]):
    """Reads. An AsyncReader is closed by its block."""
    async def __aenter__(self): return self
    @asynccontextmanager
    async def open(self) -> AsyncIterator[Thing]:
        async with self.lock:
            async for thing in self.read(): yield (await thing.ready()).now
    def background(self): return Task()
'''


def test_the_words_that_make_it_async_are_no_difference() -> None:
    assert difference(TWINS, "Reader", {"background"}) == ""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("await thing.ready()", "await thing.steady()"),
        ("async with self.lock", "async with self.locks"),
        ("class AsyncReader(AsyncBase[Thing])", "class AsyncReader(AsyncBase[Other])"),
        ("An AsyncReader is closed", "An AsyncReader is open"),
    ],
)
def test_anything_else_is_a_difference(before: str, after: str) -> None:
    assert before in TWINS
    assert difference(TWINS.replace(before, after), "Reader", {"background"}) != ""


def test_a_method_may_differ_only_if_it_is_named() -> None:
    assert "Thread" in difference(TWINS, "Reader", set())
