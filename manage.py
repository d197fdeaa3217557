#!/usr/bin/env python
"""The command line of cloudadmin."""

import gc
import os
import sys


def main() -> None:
    # Until cloudadmin/apps.py, when the models are read: what is made of modules stays, and to
    # look through it for garbage again and again takes a third of the time of a command's start.
    gc.disable()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cloudadmin.settings")
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has seen enough, as in `manage.py site_status x | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
