"""The text around the tables of `docs/performance-method.md`."""

from __future__ import annotations

from bench.rush import AT_ONCE

HOW = """\
`make bench` made this page and [Performance](performance.md), which is the short one. It installs the libraries
below into an environment of their own, and measures them side by side in one process. Run it to see the figures of
your machine.

A cost is the time of a request with the session minus the time of the same request without it. Each request goes
through the library's own middleware, in the smallest application that the library allows, without a network or a web
server. *Read* asks for one key of a session that exists. *Write* gives one key a value that it did not have. *New* is
a request without a cookie that stores the whole payload. The payloads are 200 bytes in 5 keys, 2 KB in 20 keys and
50 KB in 50 keys. They consist of text, numbers, lists and dictionaries that every library can store.

The process with all its threads is kept on one CPU, and so are the servers. A figure is therefore the work of both,
and does not depend on how fast this machine wakes up another CPU. The server for Redis is Valkey, which keeps nothing
on the disk. MariaDB runs with `innodb_flush_log_at_trx_commit=2` and PostgreSQL with `synchronous_commit=off`, so
that no commit waits for the disk.

The libraries take turns in each of {rounds} rounds. A turn consists of five short blocks of requests with the session
and five without it. A figure is the median of all blocks. A store begins each round empty, except that a store in
files keeps its files. Python's garbage collector does not run inside a block."""

SETTINGS = """\
Settings are the default ones, with these exceptions:

{settings}

In asynchronous frameworks Sojourn is set up with `quiet`, as its documentation recommends it: the session is read
only for a page that uses it."""

FLOOR = """\
*Sojourn* is its `Manager`, called directly; the tables above show how much its middlewares add. *The fastest of the
others* is the fastest library that keeps sessions on the server, in the same kind of store, even if it does less
(see [Correctness](correctness.md)).

*The floor* is the cost of the store itself and of one pass of a fast codec over the whole session. The floor of a read
is a look-up, an opened file, a GET by a bare socket or a SELECT by the fastest driver, and one decoding. A write adds
an encoding and a SET, an UPDATE or a file that is renamed into place. A new session needs a random token, its HMAC, an
encoding and the store. Sojourn can cost less than the floor, because it decodes one key of a session without the
others. *Above the floor* is the difference in microseconds. For files it says more than the ratio, because the cost of
a rename depends on the file system."""

RUSH = f"""\
{AT_ONCE} clients in one event loop have a session of 200 bytes each, and send the next request as soon as they are
answered. Clients, application and Redis share one CPU. The figures are for whole requests to the smallest application
that each library allows: aiohttp without its router, Litestar with it."""

SHARES = """\
The figures are the microseconds that sessions add to one request, ± half the distance between the quartiles. The
visitor has a session of 200 bytes. The application is called in the same process, through the framework's own routing,
by WSGI or ASGI (aiohttp: as its own protocol calls it). One of its pages never uses the session (*quiet*). The other
reads one key of it (*read*), or gives the key another value (*change*); there the application makes the calls that a
library asks for, such as `load_session` of starsessions and `save` of Beaker. The line of a framework shows the cost
of the same request without sessions. On the right, Sojourn is compared with the library that keeps sessions in the
same store, or, if there is none, with a cookie that contains the whole session. Figures below half a microsecond
count as half a microsecond in the comparison."""

SLOWER = """\
Of the {rows} comparisons, Sojourn costs more, in bold, on {quiet} quiet pages, in {read} reads and in {change} changes.
[The reasons](#why-another-library-can-be-faster) are below."""

REASONS = """\
[Performance](performance.md#where-another-library-is-faster) lists the requests for which another library is faster.
[Where the time goes](#where-the-time-goes) shows the phases of a request. These are the reasons:

- **A quiet page.** Sojourn does not read the record, but its middleware looks at the cookie, makes a session that can
  read the record later, and watches the response, which may need a header. Some libraries, and Sojourn in Pyramid, do
  nothing until the page uses the session.
- **A cookie that contains the session.** A library that signs or encrypts the whole session asks no store, so it saves
  a round trip. Such a session is limited to 4 KB and travels with every request. The server cannot end it, and two
  changes at the same time lose one of them.
- **A change in memory.** Sojourn compares the session with the record that was read, and merges its changes with those
  that other requests wrote in the meantime. For 200 bytes in memory it can be cheaper to write the whole session.
- **A new session of many keys.** Sojourn encodes each value separately, because two requests can then change two keys
  without a conflict. Other libraries encode the session in one call of a codec.
- **Django's `SESSION_ENGINE`.** Django's middleware asks the session separately whether it is empty, whether it was
  changed and when it expires. Sojourn's own middleware for Django asks once.
- **`CurrentSession` in FastAPI.** FastAPI resolves each dependency at each request. `request.session` does without."""

KEPT = """\
The bytes are the memory that Redis reports as used, divided by the number of sessions. The indexes are the sorted sets
with which Sojourn counts, lists and sweeps. The other libraries have none."""

SWEPT = """\
Except in memory, every session has a user, so that there are as many index entries for users as sessions. Files are in
the system's cache. Expired sessions are not counted. The sweep of MariaDB runs in a thread, while the same process
reads and writes a hundred sessions in turn. The server has a CPU of its own for this."""

MANY = """\
Each line is measured in a process of its own, with sessions of 200 bytes that all differ. A pause is the longest time
that Python's garbage collector took, in processor time, while the sessions were made or in five full collections
afterwards. It does not include the objects that the process held before (`gc.freeze`)."""

IMPORT = """\
The median time of a new Python process that imports one module and ends, in milliseconds, from files that are in the
system's cache."""

AIMS = """\
These are Sojourn's own goals, for its `Manager` called directly; *asyncio* is its `AsyncManager`. A *quiet page* is
one that never uses the session, with Sojourn on Redis in that framework. The microseconds were chosen on a machine
with two CPUs of an AMD EPYC; on another machine, only the goals that compare two figures mean the same."""

PHASES = """\
Each phase is called separately, and only this call is timed. An indented phase is a part of the phase above it. The
phases do not add up exactly to the whole, because each of them is measured by itself. In a new session, *the work*
assigns every key, which encodes every value. In files, the file system takes most of the time of a write."""

NOT = """\
- Networks: a round trip between two machines costs more than nearly everything on these pages.
- A server that waits for the disk at every commit, as MariaDB and PostgreSQL do by default.
- Django under ASGI, where its own sessions use a thread.
- Several processes at the same time, which wait for each other's locks.
- Waiting for the disk: neither Sojourn without `fsync=True` nor any of the other libraries waits for it.
- Browsers: a store in a cookie sends the whole session with every request, at the visitor's expense.
- Python without its global lock, and PyPy."""
