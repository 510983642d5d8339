"""The way of a release to the store, and the queue of those that collide in one process.

`runner` sends a release to the store, `turns` orders those that collide, and `combining` adds up the
changes of those that wait, so that one write stores them.
"""
