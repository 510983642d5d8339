"""The text around the tables of `docs/performance.md`."""

from __future__ import annotations

from bench.rush import AT_ONCE

HOW = """\
`make bench` made this page. It installs the libraries below into an environment of their own,
measures them side by side in one process, and writes down what it found; run it to see the figures
of your machine.

A cost is the time of a request with the session minus the time of the same request without it,
through each library's own middleware in an application as thin as it allows: no network, no web server.
*Read* asks for one key of a session that exists, *write* gives one key a value that it did not have,
*new* is a request without a cookie that stores the whole payload. Payloads are 200 bytes in 5 keys,
2 KB in 20, 50 KB in 50: text, numbers, lists and dictionaries that every library can store.

The process, threads included, is kept on one CPU, and so are the servers: what is measured is the work of
both, and not how fast this machine wakes up another CPU. Redis keeps nothing on the disk; MariaDB runs with
`innodb_flush_log_at_trx_commit=2` and PostgreSQL with `synchronous_commit=off`, so that no commit waits for
the disk. Within each of {rounds} rounds the libraries take
turns, in five short blocks of requests with the session and five without; what is shown is the median of
all. A store begins each round empty; one in files keeps what it holds. Python's collector
does not run inside of a block. Settings are the default ones, but for these:

{settings}"""

FLOOR = """\
*Sojourn* is its `Manager` called directly; what its middlewares add is in the tables above. *The
fastest of the others* is the fastest library that keeps sessions on the server, in the same kind of
store, whether or not it does the same (see [Correctness](correctness.md)). *The floor* is what the
store itself and one pass of a fast codec over the whole session would cost: to read, a look-up, an
opened file, a GET by a bare socket or a SELECT by the fastest driver, and one decoding; to write, that
and an encoding and a file renamed into place, a SET or an UPDATE; for a new session, a random token, its
HMAC, an encoding and the store. Less than the floor is possible, since one key of a session is decoded
without the others."""

RUSH = f"""\
{AT_ONCE} clients in one event loop, each with a session of 200 bytes of its own, that ask again as soon as they
are answered; client, application and Redis share one CPU. These are whole requests of the thinnest
application that each library allows: aiohttp without its router, Litestar with it."""

SHARES = """\
Microseconds that sessions add to one request, ± half the distance between the quartiles, for a visitor
whose session holds 200 bytes. The application is called in process, through the framework's own routing,
by WSGI or ASGI (aiohttp: as its own protocol calls it). It has two pages: one never asks for the session
(*quiet*), the other reads one key of it (*read*), or gives it another value (*change*); there it calls
what a library wants called, `load_session` of starsessions and `save` of Beaker. The line of a framework
says what the same request costs without sessions. To the right Sojourn stands beside what keeps sessions
in the same store, or else beside a cookie that carries all of it; what is below half a microsecond counts
as that much."""

SLOWER = """\
Sojourn costs more where the figure is bold: of {rows} comparisons, on {quiet} quiet pages, in {read}
reads and {change} changes. It has its reasons, which may not be yours:

- On a quiet page its middlewares have read the record before the application begins. So a visitor who
  only looks around can count as seen, and no access waits for the store. Libraries that read when they are
  asked pay next to nothing there; so do `sojourn.web.pyramid`, and `SESSION_ENGINE` in Django.
- A signed or encrypted cookie asks no store, and beside one a round trip is dear. In return it holds
  4 KB, travels with every request, is not ended by the server, and of two changes at once it loses one.
- A change is compared with what was read, and merged with what others wrote meanwhile. With 200 bytes
  in memory it may be cheaper to write all of it anew, as others do; with 2 KB it is not (see above).
- Django's own middleware asks a `SESSION_ENGINE` for each thing by itself: whether it is empty, whether
  it changed, when it expires. Sojourn's middleware in its place is asked once.
- `CurrentSession` is a dependency, and FastAPI has its work with each; `request.session` is there too."""

KEPT = """\
What Redis says that it has in use, divided by the sessions. Indexes are the sorted sets by which Sojourn
counts, lists and sweeps; the others have none."""

SWEPT = """\
Elsewhere than in memory every session has a user, so that there are as many entries of users as sessions;
files are in the system's cache. What has expired does not count. The sweep of MariaDB runs in a thread of a
process that meanwhile serves requests, reads and writes of a hundred sessions in turn, and the server has a
CPU of its own."""

MANY = """\
Each line is a process of its own that holds sessions of 200 bytes, no two alike. A pause is the longest
time that Python's collector took, in processor time, while the sessions were made or in five full
collections afterwards; what the process held before them is kept out of it (`gc.freeze`)."""

PHASES = """Each phase is called by itself, and only the call is timed; what stands further in is a part of what
stands above it. In memory nothing stands out any more: a write is some twenty calls of Python, none of
which is idle, and a new session's are the token, each value's encoding, the record and the cookie. In
files the disk's own work is nearly all of it."""

AIMS = "Sojourn's `Manager`, called directly."

NOT = """\
- Networks: a round trip between machines costs more than nearly everything on this page.
- A server that waits for the disk at every commit, as MariaDB and PostgreSQL do by default.
- Django under ASGI, where its own sessions go through a thread.
- Several processes at once, and the waiting for each other's locks.
- A disk that is waited for: neither Sojourn without `fsync=True` nor any of the others waits for it.
- Browsers: a cookie store sends the whole session with every request, which costs the visitor, not us.
- Python without its global lock, and PyPy."""
