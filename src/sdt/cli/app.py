"""The commands of `sdt` and how they hang together; each group is a module, imported only when it is called for."""

from __future__ import annotations

import typer

from sdt.cli import (
    ach_office,
    attest,
    cases,
    database,
    demo,
    identity,
    identity_office,
    keys,
    money,
    network,
    office,
    operate,
    parameters,
    payments,
    queue,
    receipts,
    region,
    sanctions,
    sandbox,
    sandbox_clock,
    secrets,
    status,
    user_bank,
    users,
    vendor,
)

__all__ = ["app"]

app = typer.Typer(
    name="sdt",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="""State Depository Tokens: dollars and gold in a State's own depositories, paid from phone to phone.

[bold]Begin with[/bold]  sdt demo           the whole platform on this machine, and a story told with it
[bold]Then pay[/bold]    sdt pay bob.tx 12.50 TXD --as alice
[bold]And look[/bold]    sdt balance --as bob      sdt transaction ID      sdt status
[bold]And prove[/bold]   sdt receipt get ID --as alice      sdt receipt verify FILE

Every command explains itself: sdt COMMAND --help""",
)
app.command(rich_help_panel="The platform")(demo.demo)
app.command(rich_help_panel="The platform")(operate.up)
app.command(rich_help_panel="The platform")(status.status)
app.add_typer(region.region, name="region", rich_help_panel="The platform")
app.add_typer(keys.keys, name="keys", rich_help_panel="The platform")
app.add_typer(attest.attest, name="attest", rich_help_panel="The platform")
app.add_typer(secrets.secrets, name="secrets", rich_help_panel="The platform")
app.add_typer(parameters.parameters, name="parameters", rich_help_panel="The platform")
app.add_typer(network.network, name="network", rich_help_panel="The platform")
app.add_typer(database.database, name="db", rich_help_panel="The platform")
app.add_typer(queue.queue, name="queue", rich_help_panel="The platform")
app.add_typer(ach_office.ach, name="ach", rich_help_panel="The platform")
app.add_typer(money.money, name="money", rich_help_panel="Officers")
app.add_typer(office.office, name="office", rich_help_panel="Officers")
app.add_typer(cases.case, name="case", rich_help_panel="Officers")
app.add_typer(sanctions.sanctions, name="sanctions", rich_help_panel="Officers")
app.add_typer(sandbox.sandbox, name="sandbox", rich_help_panel="The platform")
sandbox.sandbox.add_typer(sandbox_clock.clock, name="clock")
sandbox.sandbox.command("statement")(sandbox_clock.statement)
app.add_typer(vendor.vendor, name="vendor", rich_help_panel="The platform")
users.user.add_typer(user_bank.bank, name="bank")
app.add_typer(users.user, name="user", rich_help_panel="A user")
app.add_typer(identity.identity, name="identity", rich_help_panel="A user")
for command in (identity_office.waiting, identity_office.look, identity_office.paper):
    identity.identity.command(rich_help_panel="For officers")(command)
app.command(rich_help_panel="A user")(payments.pay)
app.command(rich_help_panel="A user")(payments.deposit)
app.command(rich_help_panel="A user")(payments.redeem)
app.command(rich_help_panel="A user")(payments.balance)
app.command(rich_help_panel="A user")(payments.transaction)
app.add_typer(receipts.receipt, name="receipt", rich_help_panel="A user")
