"""The same act for many sites, a few at a time.

acts   what can be done to many, and for whom it is left out
runs   a person's wish as rows; a worker's pass through some of them
"""
