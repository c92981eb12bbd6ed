"""The command line: one file a noun, each loaded only when it is used. ``main.py`` is where it begins."""
