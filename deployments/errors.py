"""Why a deployment did not happen, in words for the person who asked for it."""


class DeploymentRefused(Exception):
    """Nothing was changed. ``try_again`` says whether the same request can succeed later."""

    def __init__(self, message: str, *, try_again: bool = False) -> None:
        super().__init__(message)
        self.try_again = try_again
