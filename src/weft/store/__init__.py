"""Where runs live: ``protocol.py`` and its implementations. The one place with SQL."""
