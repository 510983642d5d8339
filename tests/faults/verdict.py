"""What stands after a fault, compared with what every visitor was told."""

from __future__ import annotations

import math
from collections import Counter

from sojourn import Manager, Session
from tests.faults.load import Load
from tests.faults.stories import Story, items_of


class Verdict:
    """What differs from what was acknowledged.

    A replica that was promoted may lack what was acknowledged since the moment `since`: that is
    listed, and all else is a fault.
    """

    def __init__(self, load: Load, since: float = math.inf) -> None:
        self._provider = load.provider()
        self._manager = Manager(self._provider)
        self.close = self._manager.close
        self._users = Counter(info.user for info in self._manager.sessions())
        self._risen = {token for visitor in load.visitors for token in visitor.risen}
        self._since = since
        self.faults = [fault for visitor in load.visitors for fault in visitor.faults]
        """What must never be."""
        self.missing = list[str]()
        """Sessions, or items of them, that were lost."""
        self.undone = list[str]()
        """Ends and changes of tokens that were lost: the old token opened a session again."""
        for story in load.stories:
            self._judge(story)

    def __repr__(self) -> str:
        return (
            f"{len(self.faults)} faults, of what was acknowledged {len(self.missing)} missing and"
            f" {len(self.undone)} undone: {[*self.faults, *self.undone, *self.missing][:10]}"
        )

    def _judge(self, story: Story) -> None:
        for token, died in story.dead.items():
            if token in self._risen or self._open(token):
                self._lack(self.undone, died, f"{story.name} by a dead token")
        standing = self._users[story.name]
        if story.close == "refused" and standing:
            self.faults.append(f"{story.name} stands, though its beginning was refused")
        if standing > 1:
            self.faults.append(f"{story.name} stands {standing} times")
        if story.close == "vanished":
            self._lack(self.missing, story.handed_out[-1], story.name)
        elif story.close in (None, "renew", "end"):
            self._enter(story, self._open(story.tokens[-1]))

    def _lack(self, lacking: list[str], acknowledged: float, what: str) -> None:
        (lacking if acknowledged >= self._since else self.faults).append(what)

    def _enter(self, story: Story, session: Session | None) -> None:
        if session is None:
            if story.close is None:
                self._lack(self.missing, story.handed_out[-1], story.name)
            return
        if session["name"] != story.name or session.user != story.name:
            self.faults.append(f"{story.name} is the session of {session.user}")
        if session.get("count", 0) != len(session["list"]):
            self.faults.append(f"{story.name} is made of two")
        items = Counter(items_of(session))
        self.faults += [f"{story.name}/{each} twice" for each in items if items[each] > 1]
        for item in {*items} - {*story.saved} - story.doubtful:
            self.faults.append(f"{story.name}/{item} stands, though refused")
        for item in {*story.saved} - {*items}:
            self._lack(self.missing, story.saved[item], f"{story.name}/{item}")

    def _open(self, token: str) -> Session | None:
        session = self._manager.start({"Cookie": f"session={token}"})
        return None if session.is_new else session
