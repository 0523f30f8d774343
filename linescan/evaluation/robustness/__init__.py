"""How figures of the yardstick fall when one thing about a scene changes."""
