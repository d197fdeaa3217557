"""The API: `/api/v1/`, documented by itself at `/api/v1/openapi.json` and `/api/v1/docs`."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from ninja import NinjaAPI
from ninja.openapi.docs import DocsBase
from ninja.openapi.schema import OpenAPISchema
from ninja.parser import Parser

from deployments.api import (
    archives,
    deploys,
    identity,
    invalidations,
    manifests,
    previews,
    problems,
    publishing,
    site,
    visitors,
)
from deployments.api.access import Bearer
from deployments.api.problems import ApiError
from deployments.api.schemas import ManifestIn, reference

DESCRIPTION = """\
Deploy a site from anywhere. A token is for one site and sees no other; a person makes it in the
dashboard, and GitHub Actions exchange their identity token for one. A refusal is a problem
(RFC 9457): its `detail` says what is wrong and what to try.
"""


class JsonParser(Parser):
    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        if request.content_type != "application/json":
            raise ApiError(
                415, f"The body is “{request.content_type}”; send JSON, as “application/json”."
            )
        return super().parse_body(request)


class Docs(DocsBase):
    """Swagger's page from our own server: a dashboard asks no other one for scripts."""

    def render_page(self, request: HttpRequest, api: NinjaAPI, **kwargs: Any) -> HttpResponse:
        context = {"title": api.title, "url": self.get_openapi_url(api, kwargs)}
        return render(request, "deployments/api.html", context)


class Api(NinjaAPI):
    def get_openapi_schema(self, **kwargs: Any) -> OpenAPISchema:
        """What ninja cannot be told: bodies that are read by us, the content type of refusals."""
        schema = super().get_openapi_schema(**kwargs)
        manifest = ManifestIn.model_json_schema(ref_template=reference("{model}"))
        schema["components"]["schemas"] |= manifest.pop("$defs") | {ManifestIn.__name__: manifest}
        for methods in schema["paths"].values():
            for operation in methods.values():
                for status, response in operation["responses"].items():
                    if int(status) >= 400 and "application/json" in response.get("content", {}):
                        content = response["content"]
                        content[problems.CONTENT_TYPE] = content.pop("application/json")
        return schema

    def get_openapi_operation_id(self, operation: Any) -> str:
        name: str = operation.view_func.__name__
        return name


api = Api(
    title="cloudadmin",
    version="1",
    description=DESCRIPTION,
    auth=Bearer(),
    docs=Docs(),
    parser=JsonParser(),
    urls_namespace="api",
)
problems.register(api)
MODULES = (
    identity,
    site,
    deploys,
    archives,
    manifests,
    publishing,
    previews,
    invalidations,
    visitors,
)
# What shares an address has to share a router.
for router in dict.fromkeys(module.router for module in MODULES):
    api.add_router("", router)
