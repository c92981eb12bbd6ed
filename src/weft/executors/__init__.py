"""Places that carry out attempts. ``protocol.py`` says what each must do; one conformance suite checks it."""
