"""How fields are drawn: by our templates where there are some, else by unfold's and Django's."""

from __future__ import annotations

from pathlib import Path

from django.forms import renderers
from django.template.backends.django import DjangoTemplates
from django.utils.functional import cached_property

OURS = Path(__file__).parent / "templates"
DJANGOS = Path(renderers.__file__).parent / "templates"


class Renderer(renderers.DjangoTemplates):
    @cached_property
    def engine(self) -> DjangoTemplates:
        params = {"APP_DIRS": True, "DIRS": [OURS, DJANGOS], "NAME": "fields", "OPTIONS": {}}
        return DjangoTemplates(params)
