"""Applications on real servers: requests per second, and the processor time of each request.

Each application runs in gunicorn or uvicorn, and keeps its sessions in the same Redis.  `wrk` sends
requests on 64 connections.  The server and the store share one CPU, `wrk` has the other.
"""
