"""Every address of the project."""

from django.contrib import admin
from django.urls import include, path

from deployments import webhooks
from sites.admin.people.invitation import invitation
from sites.visits import public

admin.autodiscover()  # here and not at start: only who serves pages pays for them

urlpatterns = [
    path("api/", include("deployments.api.urls")),
    path("hooks/github/<uuid:uid>", webhooks.github, name="github-hook"),
    path("invitations/<slug:secret>/", invitation, name="invitation"),
    path("visitors/<slug:token>/", public.visitors, name="visitors"),
    path("sites/new/", include("deployments.admin.wizard.urls")),
    path("", include("cloudadmin.login.urls")),  # in place of the admin's own
    path("", admin.site.urls),
]
