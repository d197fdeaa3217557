"""The way in: who somebody is, and how well that is proven."""
