"""The service's HTTP side: the REST API, its live events, and who may use them."""
