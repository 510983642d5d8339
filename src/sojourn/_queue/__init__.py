"""The way of a release to the store, and the queue of those that collide in one process."""
