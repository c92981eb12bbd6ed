"""The composition root of the service: what ``weft up``, ``weft engine`` and ``weft server`` run."""
