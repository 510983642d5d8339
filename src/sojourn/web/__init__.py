"""Integrations with web frameworks and servers: ASGI, WSGI, aiohttp, Django, FastAPI, Flask,
Litestar, Pyramid and Quart.

Each one starts a session from the headers of a request, releases it before the first byte of the
response is sent, and adds the headers of the release to the response.
"""
