"""`academy`: what operators type. What changes anything or shows personal data is in the audit."""

from typing import Annotated

import typer

from academy import erasing, fleet, jobs, keys, letters, tenants, upkeep
from academy.shared import OPERATOR, checked
from clients import operators
from clients.operators import Operator

app = typer.Typer(
    name="academy",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # they show what variables hold
)


@app.callback()
def begin(
    operator: Annotated[
        Operator | None,
        typer.Option(
            "--as",
            parser=checked(operators.who),
            metavar="NAME",
            help="Who asks, for the audit, where the user of this machine is not a person's own.",
        ),
    ] = None,
) -> None:
    """Commands for operators, with the settings of the README in the environment.

    They end with 0 when all is done, with 1 when something was refused or is left over, and with 2 when they
    were typed wrongly. Each has --json.
    """
    OPERATOR.set(operator or operators.who(None))


for name, group in {
    "tenant": tenants.tenant,
    "account": tenants.account,
    "credit": tenants.credit,
    "key": keys.key,
    "data-key": keys.data_key,
    "staff": keys.staff,
    "job": jobs.job,
    "queue": fleet.queue,
    "worker": fleet.worker,
    "schedule": fleet.schedule,
    "letters": letters.letters,
    "erase": erasing.erase,
}.items():
    app.add_typer(group, name=name)
app.command("usage")(upkeep.used)
app.command("retention")(upkeep.retention)
app.command("after-restore")(upkeep.after_restore)
