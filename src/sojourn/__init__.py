"""Sojourn: sessions for Python web applications.

One interface, many stores, sync and async.  A `Manager` (or an `AsyncManager`) starts a `Session`
from the headers of a request and releases it into the response.
"""

from __future__ import annotations

__version__ = "0.1.0"

from sojourn._manager_base import SessionInfo as SessionInfo
from sojourn.config import Config as Config
from sojourn.errors import ConfigError as ConfigError
from sojourn.errors import CorruptRecord as CorruptRecord
from sojourn.errors import EncodeError as EncodeError
from sojourn.errors import NotFresh as NotFresh
from sojourn.errors import NotLoaded as NotLoaded
from sojourn.errors import OutcomeUnknown as OutcomeUnknown
from sojourn.errors import SessionError as SessionError
from sojourn.errors import SessionGone as SessionGone
from sojourn.errors import SessionReleased as SessionReleased
from sojourn.errors import SessionTooLarge as SessionTooLarge
from sojourn.errors import StoreError as StoreError
from sojourn.errors import StoreUnavailable as StoreUnavailable
from sojourn.manager import AsyncManager as AsyncManager
from sojourn.manager import Manager as Manager
from sojourn.providers.base import AsyncProvider as AsyncProvider
from sojourn.providers.base import Provider as Provider
from sojourn.providers.compare_and_swap import (
    AsyncCompareAndSwapProvider as AsyncCompareAndSwapProvider,
)
from sojourn.providers.compare_and_swap import CompareAndSwapProvider as CompareAndSwapProvider
from sojourn.providers.registry import register as register
from sojourn.record import Changes as Changes
from sojourn.record import Move as Move
from sojourn.record import Outcome as Outcome
from sojourn.record import Record as Record
from sojourn.release import Release as Release
from sojourn.release import ReleaseOutcome as ReleaseOutcome
from sojourn.session import Session as Session
