"""From a definition to a graph that can run: checks, advice and the graph's fingerprint.

A dialect makes a ``Graph``; ``validate`` refuses one that cannot run, with an error that says what, where and
how to mend it; ``advise`` tells what is allowed but looks wrong; ``digest`` is the version's identity.
"""
