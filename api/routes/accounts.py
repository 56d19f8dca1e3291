"""Tenants' messaging accounts, for operators: prices, senders, credit; and their mail servers."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Request
from pydantic import BaseModel, ConfigDict, ValidationError

from api.accounts import AccountChanges, AccountSettings, Payment, add_credit, change_account, save_account
from api.auth import audit
from api.auth.people import Staff
from api.auth.staff import staff_of
from api.problems import not_found, refused
from api.routing import first
from api.services import UseServices
from clients.database import credits, mail_servers
from contracts import mail
from contracts.base import Outside

TenantId = Annotated[int, Path(gt=0, lt=2**63)]


async def operator(request: Request) -> Staff:
    """403 for staff who are no operators."""
    staff = await staff_of(request)
    if staff.role != "operator":
        raise HTTPException(403, {"detail": "Only operators may do this.", "code": "not_an_operator"})
    return staff


Operator = Annotated[Staff, Depends(operator)]
router = APIRouter(prefix="/api/v1/tenants/{tenant_id}", route_class=first(operator))


@router.put("/messaging-account/")
async def put_account(
    tenant_id: TenantId, body: AccountSettings, _staff: Operator, services: UseServices
) -> dict[str, Any]:
    """Create or change a tenant's account. Its credit is not touched."""
    async with services.engine.begin() as connection:
        await save_account(connection, tenant_id, body)
        account = await credits.account(connection, tenant_id)
    assert account is not None
    return {"tenant_id": tenant_id, "credit_balance": str(account.credit_balance)}


@router.patch("/messaging-account/")
async def patch_account(
    request: Request, tenant_id: TenantId, body: AccountChanges, _staff: Operator, services: UseServices
) -> dict[str, Any]:
    """Change what is named of a tenant's account, or make one. Its credit is not touched."""
    given = body.model_dump(exclude_unset=True)
    audit.about(request, fields=",".join(given))
    try:
        async with services.engine.begin() as connection:
            account = await change_account(connection, tenant_id, given)
    except ValidationError as error:
        wrong = ", ".join(sorted({str(each["loc"][0]) for each in error.errors(include_input=False)}))
        raise refused(422, "invalid", f"An account cannot be without: {wrong}.") from None
    return {"tenant_id": tenant_id, "credit_balance": str(account.credit_balance)}


@router.post("/credit/", status_code=201)
async def top_up(
    tenant_id: TenantId, body: Payment, _staff: Operator, services: UseServices
) -> dict[str, Any]:
    """Add credit, and wake the tenant's jobs that wait for it."""
    counted = await add_credit(services.engine, services.temporal, tenant_id, body)
    return {"counted": counted.new, "credit_balance": str(counted.balance)}


class MailServer(Outside, mail.MailServer):
    """`tls`: `starttls` (port 587) and `implicit` (465) demand a good certificate, `none` (25) takes no
    password. `sender` is the address that e-mails are from."""

    model_config = ConfigDict(extra="forbid")


class MailServerShown(BaseModel):
    """Without the password."""

    host: str
    port: int
    tls: mail.Tls
    sender: str
    sender_name: str | None
    username: str | None


@router.put("/mail-server/")
async def put_mail_server(
    tenant_id: TenantId, body: MailServer, _staff: Operator, services: UseServices
) -> MailServerShown:
    """Have a tenant's e-mails leave by its own mail server from now on, those as well that wait."""
    sealed = (await services.keys.sealer(tenant_id)).seal(
        body.model_dump_json().encode(), mail_servers.SEALED
    )
    async with services.engine.begin() as connection:
        await mail_servers.save(connection, tenant_id, sealed)
    return _shown(body)


@router.get("/mail-server/")
async def get_mail_server(tenant_id: TenantId, _staff: Operator, services: UseServices) -> MailServerShown:
    """The tenant's own mail server. 404 where it has none."""
    async with services.engine.connect() as connection:
        sealed = await mail_servers.find(connection, tenant_id)
    if sealed is None:
        raise not_found("mail server")
    opened = (await services.keys.sealer(tenant_id)).open(sealed, mail_servers.SEALED)
    return _shown(mail.MailServer.model_validate_json(opened))


@router.delete("/mail-server/")
async def remove_mail_server(tenant_id: TenantId, _staff: Operator, services: UseServices) -> dict[str, bool]:
    """Have a tenant's e-mails leave by the platform's mail server, or wait where there is none."""
    async with services.engine.begin() as connection:
        return {"removed": await mail_servers.remove(connection, tenant_id)}


def _shown(server: mail.MailServer) -> MailServerShown:
    about = server.model_dump(exclude={"password", "port"})
    return MailServerShown(**about, port=server.port or mail.PORTS[server.tls])
