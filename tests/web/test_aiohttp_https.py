"""aiohttp: whether a request came over https."""

from __future__ import annotations

import ssl

import pytest
from aiohttp import ClientSession, CookieJar, TCPConnector, web
from aiohttp.test_utils import TestServer
from aiohttp.typedefs import Handler

from sojourn import AsyncManager
from tests.servers.certificates import Certificate
from tests.web.aiohttp_site import application, count, running
from tests.web.stores import values


@pytest.fixture
def manager() -> AsyncManager:
    return AsyncManager("memory")


async def test_over_https_the_cookie_is_secure(manager: AsyncManager) -> None:
    made = Certificate.new()
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_side.load_cert_chain(made.certificate, made.key)
    server = TestServer(application(manager, count), scheme="https")
    await server.start_server(ssl=server_side)
    trusting = TCPConnector(ssl=ssl.create_default_context(cafile=made.ca))
    jar = CookieJar(unsafe=True)  # it takes cookies from addresses
    async with server, ClientSession(connector=trusting, cookie_jar=jar) as client:
        response = await client.get(server.make_url("/"))
        assert response.headers["Set-Cookie"].endswith("; HttpOnly; Secure; SameSite=Lax")
        assert await (await client.get(server.make_url("/"))).text() == "2"


async def test_what_a_proxy_says_of_https_counts(manager: AsyncManager) -> None:
    async with running(application(manager, count)) as site:
        for headers, secure in [({}, False), ({"X_Forwarded_Proto": "https"}, True)]:
            [line] = values((await site.ask(**headers)).headers, "Set-Cookie")
            assert ("; Secure" in line) == secure


async def test_the_scheme_that_an_outer_middleware_found_counts(manager: AsyncManager) -> None:
    """As with those that know which proxies to believe, and clone the request."""

    @web.middleware
    async def proxied(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await handler(request.clone(scheme="https"))

    app = application(manager, count)
    app.middlewares.insert(0, proxied)
    async with running(app) as site:
        [line] = values((await site.ask()).headers, "Set-Cookie")
    assert "; Secure" in line
