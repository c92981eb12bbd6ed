"""Weft, a workflow engine."""
