"""Telling people, and doing something about it: automations, channels, and the outbox between the two."""
