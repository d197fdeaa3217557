"""Every address of the project."""

from django.contrib import admin
from django.urls import path

admin.autodiscover()  # here and not at start: only who serves pages pays for them

urlpatterns = [
    path("", admin.site.urls),
]
