"""What is kept about guesses."""

from django.db import models


class Guesses(models.Model):
    """Wrong answers to one question about one account, of one known device or all unknown."""

    key = models.CharField(max_length=64, primary_key=True)  # keyed hash: no name can be read off
    count = models.PositiveIntegerField(default=0)
    since = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.count} since {self.since:%Y-%m-%d %H:%M}"
