"""A model of very many sessions on Redis and on PostgreSQL; see `docs/scale.md`.

`python -m bench.scale` computes what a site needs, `--measure` measures the figures per session and
per operation from which it does so, and `--simulate` checks the model against a real Redis.
"""
