"""Who asks, and whether they may: decided in ``authority.py`` and nowhere else."""
