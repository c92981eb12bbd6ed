"""Projects of the service: their files, what is in them, and what is deployed of them."""
