"""The pages: templates filled with values.  All values but `Html` are escaped."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from string import Template
from typing import NamedTuple

from sojourn import Session, SessionInfo


class Article(NamedTuple):
    """An article of the shop."""

    name: str
    words: str
    euros: int


GOODS = {
    "map": Article("Coast map", "Every path from the harbour to the cape", 9),
    "lantern": Article("Storm lantern", "Burns for nine hours, in any wind", 34),
    "mug": Article("Tin mug", "Enamelled, and better for each dent", 7),
    "tent": Article("Small tent", "For two who get on, or one who spreads out", 189),
    "compass": Article("Compass", "Points north; the rest is up to you", 26),
    "notebook": Article("Field notebook", "Paper that takes ink in the rain", 11),
}
_FOLDER = Path(__file__).with_name("templates")
_TEMPLATES = {path.stem: Template(path.read_text("utf-8").strip()) for path in _FOLDER.iterdir()}


class Html(str):
    """Text that is HTML already, so it must not be escaped again."""

    __slots__ = ()


def fill(template: str, **values: object) -> Html:
    """Fill the values into the template, escaped unless they are `Html`."""
    markup = {k: v if isinstance(v, Html) else escape(str(v)) for k, v in values.items()}
    return Html(_TEMPLATES[template].substitute(markup))


def shop(session: Session, *, slowly: bool, where: str) -> Html:
    """Return the page with the articles, the basket, and the state of the session."""
    who = "new" if session.is_new else "anonymous" if session.user is None else "user"
    body = fill(
        "shop",
        goods=_all(fill("article", key=key, **GOODS[key]._asdict()) for key in GOODS),
        basket=_basket(Counter(key for key in session.get("basket", []) if key in GOODS)),
        checked="checked" if slowly else "",
        where=where,
        standing=fill(f"standing_{who}", id=session.id[:8], begun=_ago(session.created_at)),
    )
    return _page(session, "Shop", body)


def sign_in(session: Session, password: str, name: str = "", *, failed: bool = False) -> Html:
    """Return the sign-in page, with an error message if the last attempt failed."""
    problem = fill("problem") if failed else Html()
    return _page(session, "Sign in", fill("sign_in", password=password, name=name, problem=problem))


def sessions(session: Session, found: Iterable[SessionInfo]) -> Html:
    """Return the page that lists the sessions of a user, the newest first."""
    latest = sorted(found, key=lambda info: info.created_at, reverse=True)
    rows = _all(_row(info, "this" if info.id == session.id else "other") for info in latest)
    others = fill("end_others") if len(latest) > 1 else Html()
    return _page(session, "Your sessions", fill("sessions", rows=rows, others=others))


def sorry(session: Session, words: str) -> Html:
    """Return a page with an error message and a link back to the shop."""
    return _page(session, "Sorry", fill("sorry", words=words))


def _page(session: Session, title: str, body: Html) -> Html:
    visitor = fill("visitor" if session.user is None else "customer", user=session.user)
    return fill("page", title=title, visitor=visitor, body=body)


def _basket(counts: Counter[str]) -> Html:
    if not counts:
        return fill("basket_empty")
    prices = {key: GOODS[key].euros * count for key, count in counts.items()}
    lines = (fill("line", name=GOODS[key].name, count=counts[key], euros=prices[key])
             for key in counts)  # fmt: skip
    return fill("basket", lines=_all(lines), count=counts.total(), euros=sum(prices.values()))


def _row(info: SessionInfo, which: str) -> Html:
    times = {"created": _ago(info.created_at), "seen": _ago(info.seen_at)}
    about = {"device": "Unknown", "address": "unknown", **info.about}
    return fill(f"session_{which}", id=info.id, short=info.id[:8], **about, **times)


def _ago(at: float) -> Html:
    units = {"day": 86_400, "hour": 3600, "minute": 60}
    counts = ((int((time.time() - at) // length), unit) for unit, length in units.items())
    words = next((f"{n} {unit}{'s' * (n > 1)} ago" for n, unit in counts if n > 0), "just now")
    return fill(
        "time", exact=datetime.fromtimestamp(at, UTC).isoformat("T", "seconds"), words=words
    )


def _all(parts: Iterable[Html]) -> Html:
    return Html("".join(parts))
