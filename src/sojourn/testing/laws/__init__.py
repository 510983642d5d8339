"""The laws of the contract: each module has the tests of one law, or of a few that belong together."""
