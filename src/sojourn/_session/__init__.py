"""The parts of a session: its fields and their changes, its state, and its mapping interface."""
