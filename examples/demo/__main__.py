"""`python -m examples.demo [--provider NAME]`: serve the shop, on this machine only."""

from __future__ import annotations

import argparse
import time
from contextlib import closing, suppress
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from examples.demo.app import application
from examples.demo.stores import WHERE, config_of
from sojourn import Manager, SessionError

HOST, PORT = "127.0.0.1", 8000


class Server(ThreadingMixIn, WSGIServer):
    """A server with a thread per request, so that browser tabs do not wait for each other."""

    daemon_threads = True
    request_queue_size = 64


class Handler(WSGIRequestHandler):
    """A handler that does not log requests: the demo prints session events instead."""

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def main() -> None:
    """Serve the shop until Ctrl-C."""
    options = _options()
    try:
        with config_of(options.provider, options.address, options.folder) as config:
            # Browsers share cookies between ports: a distinct name avoids clashes on 127.0.0.1.
            manager = Manager(
                options.provider,
                provider_config=config,
                cookie_name="sojourn-demo",
                on_event=_tell,
            )
            with suppress(KeyboardInterrupt), closing(manager):
                _serve(manager, options)
    except SessionError as error:
        raise SystemExit(str(error)) from None
    if options.provider in ("file", "sqlite"):
        print(f"\nThe sessions stay in {options.folder}.")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.demo")
    parser.add_argument("--provider", choices=WHERE, default="file", help="what keeps the sessions")
    parser.add_argument("--address", help="where that is, if it is not this shop's own")
    parser.add_argument("--folder", type=Path, default="demo-sessions", help="for what is its own")
    parser.add_argument("--port", type=int, help=f"{PORT}, or a free one if that is taken")
    return parser.parse_args()


def _serve(manager: Manager, options: argparse.Namespace) -> None:
    manager.active_count()  # report an unavailable store at startup, before any visitor comes
    with _server(options.port) as server:
        manager.start_gc()
        server.set_app(application(manager, WHERE[options.provider]))
        address = f"http://{HOST}:{server.server_port}"
        print(f"Open {address} in two tabs, and add articles in both at once (Ctrl-C ends).")
        print("What becomes of the sessions:", flush=True)
        server.serve_forever()


def _server(port: int | None) -> Server:
    try:
        return Server((HOST, PORT if port is None else port), Handler)
    except OSError:
        if port is not None:
            raise SystemExit(f"port {port} is taken: name another, or none") from None
        return Server((HOST, 0), Handler)


def _tell(event: str, id: str | None) -> None:
    print(f"  {time.strftime('%H:%M:%S')}  {event:<9}  {(id or '')[:8]}", flush=True)


if __name__ == "__main__":
    main()
