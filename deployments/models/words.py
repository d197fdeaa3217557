"""Deployments by the words that are in them, through an index of PostgreSQL's full-text search.

Its configuration “simple” takes words as they are written, in every language. Trigrams would find
more, but the extension is not everywhere.
"""

from __future__ import annotations

import re

from django.contrib.postgres.search import SearchVectorField
from django.db.models import BooleanField, Func, Q, TextField, Value

COLUMNS = ("description", "author", "source", "ref", "error_message")


class Words(Func):
    """Its arguments as a tsvector, the parts of a path or an address as words of their own."""

    function = "deployment_words"
    output_field = SearchVectorField()

    # Making one takes some 20 us. PostgreSQL has to know: or it would rather make those of twenty
    # thousand rows, in the order of the list, than ask the index for all that have a word.
    CREATE = r"""
        CREATE OR REPLACE FUNCTION deployment_words(text, text, text, text, text)
        RETURNS tsvector LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 700 AS $$
        BEGIN
            RETURN to_tsvector('pg_catalog.simple', translate(
                $1 || ' ' || $2 || ' ' || $3 || ' ' || $4 || ' ' || $5,
                '/\:._-@#&=?', '           '));
        END $$
    """
    DROP = "DROP FUNCTION deployment_words(text, text, text, text, text)"


class Matches(Func):
    template = "%(expressions)s"
    arg_joiner = " @@ "
    output_field = BooleanField()


class Query(Func):
    template = "to_tsquery('simple', %(expressions)s)"
    output_field = TextField()


def has_word(word: str) -> Q:
    """Whether a word of the deployment begins so; of “fix-menu” both parts have to be there."""
    parts = re.findall(r"[^\W_]+", word)
    if not parts:
        return Q(pk__in=[])
    query = " & ".join(f"'{part}':*" for part in parts)
    return Q(Matches(Words(*COLUMNS), Query(Value(query))))
