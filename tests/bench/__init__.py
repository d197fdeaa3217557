"""``make bench``: what cloudadmin takes, beside what others take, measured in one run."""
