"""The `sdt` command."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; an expected error is one sentence on standard error and exit status 1."""
    from rich.console import Console

    from sdt.cli.app import app
    from sdt.config import ConfigurationInvalid
    from sdt.domain.errors import SdtError

    try:
        app()
    except SdtError as error:
        Console(stderr=True).print(f"[red]{error.code}[/red]: {error.detail}", highlight=False)
    except ConfigurationInvalid as error:
        Console(stderr=True).print(f"[red]configuration[/red]: {error}", highlight=False)
    else:
        return
    sys.exit(1)
