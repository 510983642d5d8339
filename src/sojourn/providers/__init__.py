"""The providers: one module for each store, and the modules that they share."""
