"""The history of deployments."""

from __future__ import annotations

from django.contrib import admin

from deployments.admin.deployment import DeploymentPages
from deployments.admin.deployment_list import DeploymentList
from deployments.models import Deployment


@admin.register(Deployment)
class DeploymentAdmin(DeploymentList, DeploymentPages):
    """Its list and the pages of each."""
