"""The pure heart: ``step(state, event, now) -> (changes, commands)``. Start with ``transitions.py``."""
