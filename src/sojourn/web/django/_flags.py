"""The attributes `accessed` and `modified`, which Django applications read and set."""

from __future__ import annotations


class Flags:
    """Derives both attributes from the session; only an assigned True has an effect."""

    @property
    def accessed(self) -> bool:
        """Whether this request read or changed the session.

        Assigning True counts as an access; False has no effect.
        """
        return self._is_accessed()

    @accessed.setter
    def accessed(self, value: bool) -> None:
        if value:
            self._look()

    @property
    def modified(self) -> bool:
        """Whether there is something to store.

        Assigning True keeps the session alive, as if it was changed; False has no effect.
        """
        return self._is_modified()

    @modified.setter
    def modified(self, value: bool) -> None:
        if value:
            self._see()

    def _is_accessed(self) -> bool:
        raise NotImplementedError

    def _is_modified(self) -> bool:
        raise NotImplementedError

    def _look(self) -> None:
        raise NotImplementedError

    def _see(self) -> None:
        raise NotImplementedError
