"""The translation of errors of redis-py to the errors of the provider contract.

If the server answered with an error, or could not be reached, nothing was written, and the error is
StoreUnavailable.  If the connection broke after the command was sent, if no reply came in time, or
if the reply makes no sense, the command may or may not have been executed, and the error is `Lost`,
an OutcomeUnknown; its subclasses show whether a retry is useful.  No message repeats the text of a
server's error, since that may quote the command.
"""

from __future__ import annotations

import re
from ssl import SSLCertVerificationError

from redis import exceptions as redis
from redis.asyncio.sentinel import MasterNotFoundError as AsyncMasterNotFoundError
from redis.sentinel import MasterNotFoundError

from sojourn.errors import CorruptRecord, OutcomeUnknown, SessionError, StoreUnavailable


class Lost(OutcomeUnknown):
    """The connection broke after a command was sent and before its reply arrived."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        """The failure in words, without the sentence on the command that `str` appends."""

    def __str__(self) -> str:
        end = "" if self.reason.endswith("?") else "."
        return f"{self.reason}{end} The command may have been carried out, or not."


class Silent(Lost):
    """No reply came in time.  A command is not repeated, since that could take as long again."""


class Nonsense(Lost):
    """The reply cannot be an answer to the command."""


# Each reason is the end of a sentence that begins with "Redis".  The first class that matches
# counts.
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (redis.AuthenticationError, "refuses the user or the password"),
    (redis.AuthenticationWrongNumberOfArgsError, "wants a user and a password, or none"),
    (redis.NoPermissionError, "does not permit this user to run a command that sessions need"),
    (redis.OutOfMemoryError, "is full: it has reached `maxmemory`"),
    (redis.ReadOnlyError, "is a replica, and read-only"),
    (redis.BusyLoadingError, "is still loading its data"),
    (redis.MasterDownError, "is a replica that has lost its master"),
    (redis.ClusterDownError, "belongs to a cluster that is down"),
    (redis.TryAgainError, "is moving these keys to another node"),
    (AsyncMasterNotFoundError, "has no master that its sentinels know"),
    (MasterNotFoundError, "has no master that its sentinels know"),
)
# By the code at the beginning of an error, for errors that have no class in redis-py, and
# for errors within scripts.
_CODES = {
    "READONLY": "is a replica, and read-only",
    "MISCONF": "refuses to write since it cannot save to its disk",
    "NOREPLICAS": "has too few replicas to write",
    "NOAUTH": "wants a password",
    "WRONGPASS": "refuses the user or the password",
    "NOPERM": "does not permit this user to run a command that sessions need",
    "BUSY": "is busy with a script",
    "OOM": "is full: it has reached `maxmemory`",
    "LOADING": "is still loading its data",
    "MAXCLIENTS": "has too many clients",
}
# By words in the text, for errors whose code is only ERR.
_PHRASES = (
    ("non local key", "is moving these keys to another node"),
    ("WRONGTYPE", "holds something else under a key of Sojourn's: remove it, or change the prefix"),
    ("unknown command", "lacks a command that sessions need: it must be Redis 6 or later"),
    ("DB index", "does not have a database of this number"),
    ("invalid DB", "does not have a database of this number"),
    ("SELECT is not allowed in cluster", "is a cluster, which has no database but 0"),
    ("cluster support disabled", "is no cluster: write redis:// instead of redis+cluster://"),
    ("max number of clients", "has too many clients"),
    ("Can't execute", "does not permit a script"),
    ("No permissions", "does not permit this user to run a command that sessions need"),
    ("can't run this command or subcommand", "does not permit a command that sessions need"),
    ("wrong number of arguments for 'auth'", "wants no password, or a user too"),
)


def refused(error: Exception, id: str | None = None) -> SessionError:
    """Return the error for a command that the server refused, with the reason in its message.

    id: the session whose hash the command reads.  If its key is of another type, the error is a
    CorruptRecord; without an id it is a StoreUnavailable like all other errors.
    """
    if id is not None and is_foreign(error):
        return CorruptRecord(f"what is stored under {id} is no session of this release", id=id)
    return StoreUnavailable(f"Redis {_reason(error)}")


def is_read_only(error: object) -> bool:
    """Whether an error shows that the server is a replica, so that it refuses to write."""
    # Before Redis 7, the error of a command in a script is quoted within the error of the script.
    return isinstance(error, redis.ReadOnlyError) or (
        isinstance(error, redis.ResponseError) and "-READONLY" in str(error)
    )


def is_foreign(error: object) -> bool:
    """Whether an error shows that a key is of another type than the command needs."""
    return isinstance(error, redis.ResponseError) and str(error).startswith("WRONGTYPE")


def nonsense(name: str) -> Nonsense:
    """Return the error for a reply that cannot be an answer to the command of this name."""
    return Nonsense(
        f"Redis answered {name} with something that is no answer to it:"
        " is a proxy or another server at this address?"
    )


def unreachable(error: Exception) -> SessionError:
    """Return the error for a server to which no connection could be made."""
    if isinstance(error, redis.InvalidResponse):
        return StoreUnavailable(nonsense("the beginning of a connection").reason)
    # redis-py raises its own error while it handles the original one, which is the context.
    if isinstance(error.__context__, SSLCertVerificationError):
        return StoreUnavailable(
            "Redis shows a certificate that is not trusted: name the CA's file by `ssl_ca_certs`"
        )
    named = _reason(error, otherwise="")
    return StoreUnavailable(f"Redis {named}" if named else "Redis cannot be reached")


def lost(error: BaseException) -> SessionError:
    """Return the error for a command that was sent and whose reply was not received.

    error: the error of redis-py or of the socket; a Lost is returned unchanged.
    """
    # In redis-py these two are ConnectionErrors, but they are replies: nothing was executed.
    if isinstance(error, redis.BusyLoadingError | redis.AuthenticationError):
        return refused(error)
    if isinstance(error, Lost):
        return error
    if isinstance(error, redis.TimeoutError | TimeoutError):
        return Silent("Redis did not answer in time")
    return Lost("Redis broke the connection off")


def _reason(error: Exception, otherwise: str | None = None) -> str:
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return reason
    text = str(error)
    # First the code of an error within a script, as Redis before 7 quotes it ("-OOM command ...").
    code = re.search("-([A-Z]+)(?= )", text) or re.match("([A-Z]+)(?= |$)", text)
    if code and code[1] in _CODES:
        return _CODES[code[1]]
    for phrase, reason in _PHRASES:
        if phrase.lower() in text.lower():
            return reason
    if otherwise is not None:
        return otherwise
    return f"answers with the error {_code(error, text)}"


def _code(error: Exception, text: str) -> str:
    """Return the code of an error; redis-py moves some codes from the text to `status_code`."""
    known: str | None = getattr(error, "status_code", None)
    found = re.match("([A-Z]{2,20}) ", text)
    return known or (found[1] if found else "ERR")
