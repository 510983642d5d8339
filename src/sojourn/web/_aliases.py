"""Session attributes and methods that the APIs of several frameworks have in common."""

from __future__ import annotations

from sojourn.session import Session


class Aliased(Session):
    """A session with the common names `new`, `created`, `changed` and `invalidate`."""

    __slots__ = ()

    @property
    def new(self) -> bool:
        """Whether nothing is stored for this visitor yet."""
        return self.is_new

    @property
    def created(self) -> int:
        """When the session began, in whole seconds since the epoch."""
        return int(self.created_at)

    def changed(self) -> None:
        """Raise SessionReleased if it is too late for a change; otherwise do nothing.

        Frameworks call this to report a change in place, but such changes are detected anyway.
        """
        self._changing()

    def invalidate(self) -> None:
        """End the session at release; values that are assigned afterwards begin a new one."""
        self.destroy()
