"""Clients that keep cookies, each with an engine of its own, behind one small interface."""

from __future__ import annotations

import json
import ssl
import subprocess
import urllib.request
from abc import ABC, abstractmethod
from http.cookiejar import Cookie, MozillaCookieJar
from pathlib import Path
from typing import NamedTuple

import httpx
from playwright.sync_api import BrowserContext, Page, Playwright

from tests.servers.certificates import Certificate
from tests.servers.process import tool


class Kept(NamedTuple):
    """A cookie as a client keeps it."""

    name: str
    value: str
    domain: str
    """A host, or after a dot a domain with all its hosts."""
    path: str
    secure: bool
    http_only: bool
    expires: float | None
    """Seconds since the epoch; None: with the session of the browser."""


class Visitor(ABC):
    """Somebody with a cookie jar, who trusts one authority alone."""

    refuses = True
    """Whether it keeps nothing that its RFC forbids to set; else it only never sends it."""

    @abstractmethod
    def ask(self, url: str) -> str:
        """The body of an answer, which has to be a 200."""

    @abstractmethod
    def kept(self) -> list[Kept]:
        """What is in the jar."""

    @abstractmethod
    def restart(self) -> None:
        """End, and begin again with what outlives that."""


class Curl(Visitor):
    """The cookie engine of curl, and a file for its jar."""

    def __init__(self, folder: Path, trusted: Certificate) -> None:
        self._jar = folder / "curl.jar"
        self._trusted = trusted
        self._forgets = False

    def ask(self, url: str) -> str:
        where = httpx.URL(url)
        words = ["--silent", "--show-error", "--fail", "--noproxy", "*"]
        words += ["--cacert", str(self._trusted.ca)]
        words += ["--resolve", f"{where.host}:{where.port}:127.0.0.1"]
        words += ["--cookie", str(self._jar), "--cookie-jar", str(self._jar)]
        words += ["--junk-session-cookies"] * self._forgets
        self._forgets = False
        done = subprocess.run([tool("curl"), *words, url], check=True, capture_output=True)
        return done.stdout.decode()

    def kept(self) -> list[Kept]:
        lines = self._jar.read_text().splitlines() if self._jar.exists() else []
        return [self._read(line) for line in lines if line.count("\t") == 6]

    def restart(self) -> None:
        self._forgets = True

    @staticmethod
    def _read(line: str) -> Kept:
        http_only = line.startswith("#HttpOnly_")
        domain, _, path, secure, expires, name, value = line.removeprefix("#HttpOnly_").split("\t")
        until = float(expires) or None
        return Kept(name, value, domain, path, secure == "TRUE", http_only, until)


class Jarred(Visitor):
    """The standard library's jar, kept in a file, and one of the clients that use it."""

    refuses = False

    def __init__(self, folder: Path, trusted: Certificate) -> None:
        self._jar = MozillaCookieJar(folder / "python.jar")
        self._context = ssl.create_default_context(cafile=trusted.ca)

    def kept(self) -> list[Kept]:
        return [self._read(cookie) for cookie in self._jar]

    def restart(self) -> None:
        self._jar.save()
        self._jar = MozillaCookieJar(self._jar.filename)
        self._jar.load()

    @staticmethod
    def _read(cookie: Cookie) -> Kept:
        return Kept(
            cookie.name,
            cookie.value or "",
            cookie.domain,
            cookie.path,
            cookie.secure,
            cookie.has_nonstandard_attr("HttpOnly"),
            cookie.expires,
        )


class Urllib(Jarred):
    """urllib."""

    def ask(self, url: str) -> str:
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=self._context),
            urllib.request.HTTPCookieProcessor(self._jar),
        )
        with opener.open(url, timeout=10) as response:
            body: bytes = response.read()
            return body.decode()


class Httpx(Jarred):
    """httpx."""

    def ask(self, url: str) -> str:
        with httpx.Client(verify=self._context, cookies=self._jar, trust_env=False) as client:
            return client.get(url).raise_for_status().text


class Chromium(Visitor):
    """Chromium with a profile of its own, which it finds again after a restart."""

    context: BrowserContext
    page: Page

    def __init__(
        self,
        playwright: Playwright,
        profile: Path,
        trusted: Certificate,
        *,
        third_party: bool = True,
    ) -> None:
        """third_party: whether cookies of a site are kept and sent when another one embeds it."""
        self._start = playwright.chromium.launch_persistent_context
        self._profile = profile
        self._arguments = [
            *("--no-sandbox", "--disable-dev-shm-usage"),  # for root, and for small containers
            "--host-resolver-rules=MAP *.test 127.0.0.1",
            f"--ignore-certificate-errors-spki-list={trusted.fingerprint}",
        ]
        preferences = {"profile": {"cookie_controls_mode": 0 if third_party else 1}}
        (profile / "Default").mkdir(parents=True)
        (profile / "Default" / "Preferences").write_text(json.dumps(preferences))
        self.start()

    def start(self) -> None:
        """Start it on its profile, with one tab."""
        self.context = self._start(
            self._profile, executable_path=tool("chromium"), args=self._arguments
        )
        [self.page] = self.context.pages

    def close(self) -> None:
        self.context.close()

    def restart(self) -> None:
        self.close()
        self.start()

    def forget(self) -> None:
        """Lose all cookies, and all tabs but the first."""
        self.context.clear_cookies()
        for tab in self.context.pages[1:]:
            tab.close()

    def ask(self, url: str) -> str:
        response = self.page.goto(url)
        assert response is not None
        assert response.ok, response.status
        return response.text()

    def kept(self) -> list[Kept]:
        return [
            Kept(
                cookie["name"],
                cookie["value"],
                cookie["domain"],
                cookie["path"],
                cookie["secure"],
                cookie["httpOnly"],
                None if cookie["expires"] == -1 else cookie["expires"],
            )
            for cookie in self.context.cookies()
        ]
