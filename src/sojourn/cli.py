"""The command `sojourn`, which lists and ends the sessions of a store outside of the application.

Each command is one call of a `Manager`; its result is printed for people or, with `--json`, for
programs.  The store is named by the application's configuration file or by two options.  The exit
status is 0 for success, 1 if there was nothing to end or there are warnings, and 2 for an error,
which is printed as one line to stderr.  Ids are not secret, so they are printed and entered in full.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

from sojourn import __version__
from sojourn.config import Config
from sojourn.errors import ConfigError, SessionError
from sojourn.manager import Manager
from sojourn.record import is_id

Arguments = argparse.Namespace

HEADINGS = ("id", "user", "created", "last seen", "expires", "about")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command, by default the one in `sys.argv`, and return its exit status."""
    try:
        arguments = _parser().parse_args(argv, Arguments(json=False))
        with closing(_manager(vars(arguments))) as manager:
            status: int = arguments.run(arguments, manager)
        sys.stdout.flush()  # here, where the error of a closed pipe is still caught
    except KeyboardInterrupt:
        return 128 + signal.SIGINT  # the status by which shells report Ctrl-C
    except BrokenPipeError:  # `sojourn list | head`
        # Python flushes stdout again when it exits; without a valid target it would print an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (SessionError, OSError) as error:
        print("sojourn:", " ".join(str(error).split()), file=sys.stderr)
        return 2
    return status


# -- the store -------------------------------------------------------------------------------------


# An option overrides the configuration file.  Options that were not given are absent (`SUPPRESS`).
def _manager(options: dict[str, Any]) -> Manager:
    settings = _settings(options["config"]) if "config" in options else {}
    named = settings.pop("provider", None)
    provider = options.get("provider", named)
    if not isinstance(provider, str):
        raise ConfigError(
            "which store? Give --provider and --provider-config, or --config FILE with the key "
            '"provider"'
        )
    if provider == "memory":
        raise ConfigError(
            "the sessions of the provider 'memory' live in the application's own process, where "
            "no other can reach them: ask its manager there"
        )
    config = Config.load(settings)
    if "provider_config" in options:
        config = config.replace(provider_config=options["provider_config"])
    return Manager(provider, config)


def _settings(path: str) -> dict[str, Any]:
    try:
        settings = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ConfigError(f"{path}: no JSON at {where}: {error.msg}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: no JSON: the file is not in UTF-8") from None
    if not isinstance(settings, dict):
        raise ConfigError(f"{path}: give an object of JSON, with the settings by name")
    return settings


# -- the commands ----------------------------------------------------------------------------------


def _count(arguments: Arguments, manager: Manager) -> int:
    _say(arguments, "live", manager.active_count())
    return 0


def _list(arguments: Arguments, manager: Manager) -> int:
    found = sorted(manager.sessions(arguments.user), key=lambda info: info.seen_at, reverse=True)
    if arguments.json:
        print(json.dumps([info._asdict() for info in found]))
        return 0
    rows = [
        (
            info.id,
            info.user or "",
            *map(_local, (info.created_at, info.seen_at, info.expires_at)),
            ", ".join(f"{key}: {text}" for key, text in info.about.items()),
        )
        for info in found
    ]
    _print_table([HEADINGS, *([_plain(cell) for cell in row] for row in rows)])
    return 0


def _destroy(arguments: Arguments, manager: Manager) -> int:
    ids, user, keep = arguments.ids, arguments.user, arguments.keep
    if bool(ids) == (user is not None) or (keep is not None and user is None):
        raise SessionError("destroy: give one or more ids, or --user with or without --keep")
    for id in ids if keep is None else [keep]:
        if not is_id(id):
            raise SessionError(f"{id!r:.80} is no id: give it whole, as `sojourn list` shows it")
    if user is None:
        ended = sum(manager.destroy(id) for id in ids)
    else:
        ended = manager.destroy_user(user, keep=keep)
    _say(arguments, "ended", ended)
    return 0 if ended else 1


def _gc(arguments: Arguments, manager: Manager) -> int:
    _say(arguments, "removed", manager.gc())
    return 0


def _repair(arguments: Arguments, manager: Manager) -> int:
    _say(arguments, "repaired", manager.repair())
    return 0


def _check(arguments: Arguments, manager: Manager) -> int:
    warnings = manager.check()
    if arguments.json:
        print(json.dumps({"ok": not warnings, "warnings": warnings}))
    else:
        print("\n".join(map(_plain, warnings)) or "ok")
    return 1 if warnings else 0


def _init(arguments: Arguments, manager: Manager) -> int:
    if arguments.print:
        print(manager.ddl(), end="")
    else:
        manager.init()
        print(json.dumps({"ok": True}) if arguments.json else "ok")
    return 0


# -- the output ------------------------------------------------------------------------------------


def _say(arguments: Arguments, word: str, number: int) -> None:
    print(json.dumps({word: number}) if arguments.json else f"{number} {word}")


def _local(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(seconds))


def _plain(text: str) -> str:
    """Return a text with characters that are not printable replaced by escapes.

    A terminal might execute them, and `about` may contain text that was sent by any browser.
    """
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    # A terminal with another encoding than UTF-8 may lack characters of a user's name.
    encoding = sys.stdout.encoding or "utf-8"
    return shown.encode(encoding, "backslashreplace").decode(encoding)


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


# -- the arguments ---------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """Reports an invalid argument in one line, like all other errors, instead of the full usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"sojourn: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    # Options of the store may come before or after the command.  With `SUPPRESS`, the parser of the
    # command does not overwrite a value given before it by its own default.
    store = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    store.add_argument("--config", metavar="FILE", help='JSON: settings, and "provider"')
    store.add_argument("--provider", metavar="NAME", help="such as file, or a URL")
    store.add_argument("--provider-config", metavar="TEXT", help="such as ./sessions")
    store.add_argument("--json", action="store_true", help="print JSON")
    parser = _Parser(prog="sojourn", description="Look at sessions, and end them.", parents=[store])
    parser.add_argument("--version", action="version", version=f"sojourn {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Callable[[Arguments, Manager], int], says: str) -> _Parser:
        command = commands.add_parser(name, parents=[store], help=says, description=says)
        command.set_defaults(run=run)
        return command

    add("count", _count, "Say how many sessions live.")
    add("list", _list, "List the sessions, the one seen last first.").add_argument("--user")
    destroy = add("destroy", _destroy, "End sessions, by id or all of a user.")
    destroy.add_argument("ids", nargs="*", metavar="ID", help="whole, as listed")
    destroy.add_argument("--user")
    destroy.add_argument("--keep", metavar="ID", help="of the user's, the one to spare")
    add("gc", _gc, "Remove what has expired, and say how much.")
    add("repair", _repair, "Correct the indexes of a Redis that has lost keys.")
    init = add("init", _init, "Make what the store needs before its first session: a table.")
    init.add_argument("--print", action="store_true", help="the statements alone, and run none")
    add("check", _check, "Say whether the store answers, and what is unsafe about it.")
    return parser
