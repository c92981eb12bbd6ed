"""For tests of workflows, and of Weft itself: a clock, executors and stores that do as they are told.

``simulation`` runs a real engine through random workloads and faults, from one seed, in one thread.
"""
