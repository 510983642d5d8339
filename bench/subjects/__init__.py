"""The libraries: one file each, one entry in `bench.registry` for each of their stores."""
