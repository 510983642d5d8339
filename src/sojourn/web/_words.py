"""Words that more than one framework has for what a session is and does."""

from __future__ import annotations

from sojourn.session import Session


class Worded(Session):
    """A session with these words, besides its own."""

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
        """Do nothing but raise SessionReleased if that is too late: changes are seen anyway."""
        self._touch_to_change()

    def invalidate(self) -> None:
        """End the session at release.  What is put afterwards begins a new one."""
        self.destroy()
