"""The addresses of the wizard, below ``sites/new/``. Each view asks who may."""

from django.contrib import admin
from django.urls import path

from deployments.admin.wizard import draft, plan, progress

inside = admin.site.admin_view

urlpatterns = [
    path("", inside(draft.new), name="new-site"),
    path("name/", inside(draft.name), name="new-site-name"),
    path("domain/", inside(draft.domain), name="new-site-domain"),
    path("<int:pk>/", inside(draft.draft), name="new-site-draft"),
    path("<int:pk>/discard/", inside(draft.discard), name="new-site-discard"),
    path("<int:pk>/plan/", inside(plan.plan), name="new-site-plan"),
    path("<int:pk>/progress/", inside(progress.progress), name="new-site-progress"),
    path("<int:pk>/progress/panel/", inside(progress.panel), name="new-site-panel"),
    path("<int:pk>/progress/act/", inside(progress.act), name="new-site-act"),
]
