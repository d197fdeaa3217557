"""A new site in three screens: what it is, what that needs and costs, and how far it is."""
