"""The command `flr`: one module for each group of commands; what a command needs is imported inside its function."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - the sentence is for those who have an older one
    sys.exit("5-Layer Runtime needs Python 3.11 or newer, and this is Python " + sys.version.split()[0])

from app.cli.main import main

__all__ = ["main"]
