"""The addresses under `/api/`; what is none of them is answered there too, and not by the admin."""

from __future__ import annotations

from typing import NoReturn

from django.http import Http404, HttpRequest
from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt

from deployments.api.app import api


@csrf_exempt
def nothing(request: HttpRequest) -> NoReturn:
    raise Http404


urlpatterns = [path("v1/", api.urls), re_path("", nothing)]
