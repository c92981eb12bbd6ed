"""What runs beside user code: the runner of one attempt, its context and its log."""
