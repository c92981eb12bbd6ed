"""Decisions that stand alone: pure functions of a policy and a few numbers."""
