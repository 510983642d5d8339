"""Providers: the stores, one module each."""
