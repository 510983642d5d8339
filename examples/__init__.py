"""Programs that show Sojourn at work."""
