"""What is kept about guesses, and what all web processes are to know for a while."""

from typing import ClassVar

from django.db import models


class Guesses(models.Model):
    """Wrong answers to one question about one account, of one known device or all unknown."""

    key = models.CharField(max_length=64, primary_key=True)  # keyed hash: no name can be read off
    count = models.PositiveIntegerField(default=0)
    since = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.count} since {self.since:%Y-%m-%d %H:%M}"


class CacheEntry(models.Model):
    """The table of Django's ``DatabaseCache``, so that ``migrate`` makes it; nothing else uses it.

    https://docs.djangoproject.com/en/5.2/topics/cache/#database-caching
    """

    cache_key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "login_cache"
        default_permissions: ClassVar = ()

    def __str__(self) -> str:
        return f"{self.cache_key} until {self.expires:%Y-%m-%d %H:%M}"
