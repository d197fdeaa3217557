"""AWS on one machine: MiniStack behind a proxy, and the edge that serves visitors."""
