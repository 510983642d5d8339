"""Sessions in web servers: release before the first byte, add the headers."""
