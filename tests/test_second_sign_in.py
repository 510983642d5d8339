"""Law 5: the session of a second sign-in takes the place of the first, and its cookie ends with it."""

from __future__ import annotations

from sojourn import Manager
from sojourn.providers.memory import MemoryProvider
from sojourn.testing import FakeClock


def test_the_lasting_cookie_of_a_second_sign_in_ends_with_its_session() -> None:
    clock = FakeClock()
    manager = Manager(MemoryProvider(), {"absolute_lifetime": 2000.0}, clock=clock)
    first = manager.start({})
    first.login("ada")
    headers = {"Cookie": f"session={manager.release(first).token}"}
    clock.advance(1500.0)
    both = [manager.start(headers) for _ in range(2)]
    for session in both:
        session.login("ada", remember=1800.0)
    assert [manager.release(session).outcome for session in both] == ["renewed", "created"]
    (stored,) = manager.sessions("ada")
    assert stored.expires_at == clock() + 500.0
    for session in both:
        assert session.released is not None
        assert "Max-Age=500;" in dict(session.released.headers)["Set-Cookie"]
