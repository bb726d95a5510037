"""`sdt parameters`: what a deployment keeps in Parameter Store."""

from __future__ import annotations

from pathlib import Path

import typer

from sdt.cli.options import Home, Json, show

__all__ = ["parameters"]

parameters = typer.Typer(
    no_args_is_help=True,
    help="""Parameters: settings of a deployment on AWS, and digests of the files that all its processes must share.

They stand in Parameter Store under the path that aws.parameters names (docs/aws.md, "Secrets and keys").""",
)


@parameters.command("list")
def list_(home: Home = Path(".sdt"), as_json: Json = False) -> None:
    """List what stands there; none of it is secret."""
    from sdt.deployed import open_parameters
    from sdt.local.platform import settings_of

    found = dict(sorted(open_parameters(settings_of(home)).all().items()))
    lines = [f"  {name} = {value}" for name, value in found.items()]
    show(found, as_json, "\n".join(lines) or "Nothing stands there.")


@parameters.command()
def publish(home: Home = Path(".sdt"), as_json: Json = False) -> None:
    """Write the digests of this folder's region files and deployment.json.

    From then on no process of the deployment starts with other ones: publish after every change of a region's file.
    """
    from sdt.deployed import publish as publish_digests
    from sdt.local.platform import settings_of

    digests = publish_digests(settings_of(home))
    show(digests, as_json, "\n".join(f"  {name} = {digest}" for name, digest in digests.items()))
