"""allauth's rows have no pages of their own: people change them on the pages of their login."""

from django.contrib import admin

for model in list(admin.site._registry):
    if model.__module__.startswith("allauth."):
        admin.site.unregister(model)
