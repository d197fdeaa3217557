"""The HTTP API for machines (the dashboard is the one for people)."""
