"""Why a deployment did not happen."""

from sites.errors import Refused


class DeploymentRefused(Refused):
    """The site cannot have this deployment, or not now."""
