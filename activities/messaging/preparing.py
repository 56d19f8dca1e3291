"""A job's recipients, checked, composed, sealed and written: all of them, or the job is refused."""

import asyncio
from dataclasses import asdict

from sqlalchemy.ext.asyncio import AsyncEngine

from activities.implements import implements
from activities.messaging.composing import Job, composed_chunks
from activities.messaging.joining import Joining, joining
from activities.messaging.mail_servers import MailServers
from activities.messaging.provider import provider_errors, tried
from activities.messaging.requested import (
    Problems,
    parse_recipients,
    problem,
    read_request,
    refusal,
)
from clients.database import callbacks, credits, digests, jobs, messaging, messaging_chunks
from clients.database.credits import AccountRow, RecipientOutcome
from clients.database.messaging_chunks import NewRecipient
from clients.keys import TenantKeys
from clients.objects import ObjectMissing, Objects
from clients.progress import ProgressBoard
from clients.solapi import NotUnderstood, Refused, Solapi
from clients.vault import Vault
from contracts.activities import messages
from contracts.errors import (
    ACCOUNT_MISSING,
    DUPLICATE_MESSAGE,
    IMAGE_MISSING,
    MAIL_NOT_CONFIGURED,
    PAYLOAD_LOST,
    RECIPIENTS_MISSING,
    TEMPLATE_NOT_READABLE,
    TOO_MANY_RECIPIENTS,
)
from contracts.jobs import JobRef
from contracts.messaging import (
    Account,
    ApprovalState,
    Draft,
    Note,
    NoteCode,
    Prepared,
    Recipient,
    RecipientState,
    SendRequest,
    Template,
    asked_at,
    asked_by,
    channel_owner,
    classes_of,
)
from contracts.progress import messages_progress
from intake.submit import Submitter
from rules.messaging import image
from rules.messaging.approval import needs_approval
from rules.messaging.channel import as_sent
from rules.messaging.groups import digest_group
from rules.messaging.template import read
from rules.messaging.unsendable import Unsendable
from rules.messaging.validity import check_schedule, expires_at

MAX_RECIPIENTS = 100_000


class PrepareActivities:
    def __init__(
        self,
        *,
        engine: AsyncEngine,
        vault: Vault,
        keys: TenantKeys,
        objects: Objects,
        solapi: Solapi,
        mail_servers: MailServers,
        board: ProgressBoard,
        submitter: Submitter,
        default_pf_id: str | None,
        default_template_id: str | None,
    ) -> None:
        self._engine = engine
        self._vault = vault
        self._keys = keys
        self._objects = objects
        self._solapi = solapi
        self._mail_servers = mail_servers
        self._board = board
        self._submitter = submitter
        self._default_pf_id = default_pf_id
        self._default_template_id = default_template_id

    @implements(messages.PREPARE)
    async def prepare(self, ref: JobRef) -> Prepared:
        """Write the job's recipients in chunks, or say why none is written.

        One bad recipient refuses the whole job, naming every bad one: whoever corrects the list and sends
        it again cannot reach somebody twice.
        """
        assert ref.tenant_id is not None
        await self._board.show_job(ref.tenant_id, ref.job_id, messages_progress("prepare", 0))
        async with self._engine.connect() as connection:
            told = {"tells": await callbacks.hears_of_messages(connection, ref.tenant_id)}
        return (await self._prepare(ref)).model_copy(update=told)

    async def again(self, ref: JobRef) -> Prepared:
        """As `prepare`, for messages that have joined digests before: they join none."""
        return await self._prepare(ref, may_join=False)

    async def _prepare(self, ref: JobRef, *, may_join: bool = True) -> Prepared:
        if known := await self._prepared(ref):
            return known
        try:
            job = await self._read(ref)
            composed = await asyncio.to_thread(lambda: list(composed_chunks(job, self._default_pf_id)))
        except Unsendable as error:
            return Prepared(refusal=refusal([problem(None, error)]))
        except Problems as problems:
            return Prepared(refusal=refusal(problems.found))
        return await self._write(job, composed, may_join=may_join)

    async def _prepared(self, ref: JobRef) -> Prepared | None:
        """What an earlier try wrote: it stands, whatever template and senders have become since."""
        assert ref.tenant_id is not None
        async with self._engine.connect() as connection:
            job = await messaging.find_job(connection, ref.job_id)
            known = await credits.account(connection, ref.tenant_id)
        if job is None or job.chunks is None or job.recipients is None or known is None:
            return None
        return Prepared(
            chunks=job.chunks,
            recipients=job.recipients,
            waits_for_credit=known.waits_for_credit,
            needs_approval=job.approval is not None,
            send_at=job.send_at,
            by_mail=job.by_mail,
        )

    async def _read(self, ref: JobRef) -> Job:
        """Raises Unsendable for what is wrong with the whole job."""
        assert ref.tenant_id is not None
        async with self._engine.connect() as connection:
            accepted_at = (await jobs.get(connection, ref.job_id)).accepted_at
            sealed = await jobs.sealed_payload(connection, ref.job_id)
            known = await credits.account(connection, ref.tenant_id)
            numbers = await messaging.sender_numbers(connection, ref.tenant_id)
        if sealed is None:  # restored without it
            raise Unsendable(PAYLOAD_LOST)
        if known is None:
            raise Unsendable(ACCOUNT_MISSING)
        account = Account.model_validate(asdict(known) | {"sender_numbers": numbers})
        payload = self._vault.open(sealed, str(ref.job_id))
        if owner := channel_owner(payload):
            async with self._engine.connect() as connection:
                shares = await credits.account(connection, owner)
            account = account.model_copy(update={"pf_id": shares.pf_id if shares else None})
        request = read_request(ref.job_type, payload)
        check_schedule(request.draft.send_at, accepted_at)
        if request.draft.mode == "email" and await self._mail_servers.of(ref.tenant_id) is None:
            raise Unsendable(MAIL_NOT_CONFIGURED)
        recipients = await self._recipients(ref.tenant_id, request)
        draft, template, notes = await self._channel(request.draft, account, len(recipients))
        return Job(
            ref=ref,
            request=request.model_copy(update={"draft": draft}),
            recipients=recipients,
            account=account,
            template=template,
            image_id=await self._image(draft),
            sealer=await self._keys.sealer(ref.tenant_id),
            expires_at=expires_at(draft, min(accepted_at, asked_at(payload) or accepted_at)),
            asked_by=asked_by(payload),
            class_ids=classes_of(payload),
            notes=notes,
        )

    async def _channel(
        self, draft: Draft, account: Account, recipients: int
    ) -> tuple[Draft, Template | None, list[Note]]:
        """The draft as it can be sent. `both` without a template that can be used is a text message, and a
        note says so. Raises Unsendable."""
        try:
            template: Template | Unsendable | None = await self._template(draft)
        except Unsendable as error:
            template = error
        sent = as_sent(draft, template, account, self._default_pf_id)
        notes = []
        if sent.as_text_because:
            note = Note(code=NoteCode.SENT_AS_TEXT, about=sent.as_text_because, recipients=recipients)
            notes.append(note)
        return sent.draft, sent.template, notes

    async def _recipients(self, tenant_id: int, request: SendRequest) -> list[Recipient]:
        recipients = list(request.recipients)
        if request.recipients_key:
            try:
                data = await asyncio.to_thread(self._objects.get, request.recipients_key)
            except ObjectMissing:
                raise Unsendable(RECIPIENTS_MISSING) from None
            recipients = await asyncio.to_thread(parse_recipients, data)
        if not recipients:
            raise Unsendable(RECIPIENTS_MISSING)
        if len(recipients) > MAX_RECIPIENTS:
            raise Unsendable(TOO_MANY_RECIPIENTS, {"recipients": len(recipients), "limit": MAX_RECIPIENTS})
        return recipients

    async def _template(self, draft: Draft) -> Template | None:
        template_id = draft.template_id or self._default_template_id
        if not draft.by_kakao or template_id is None:
            return None
        with provider_errors(ends=True):
            try:
                return read(template_id, await self._solapi.template(template_id))
            except (NotUnderstood, Unsendable) as error:
                if tried():
                    raise Unsendable(TEMPLATE_NOT_READABLE) from None
                raise NotUnderstood from error
            except Refused as error:
                if error.own and error.status in (400, 404, 422):  # no such id, or none that could be one
                    return None
                raise

    async def _image(self, draft: Draft) -> str | None:
        if not draft.image_key:
            return None
        try:
            data = await asyncio.to_thread(self._objects.get, draft.image_key)
        except ObjectMissing:
            raise Unsendable(IMAGE_MISSING) from None
        image.check(data)
        with provider_errors(ends=True):
            return await self._solapi.upload_image(data, "image.jpg")

    async def _write(
        self, job: Job, composed: list[tuple[list[NewRecipient], bytes]], *, may_join: bool
    ) -> Prepared:
        """One transaction: the job is prepared by one execution, once."""
        tenant_id, job_id, draft = job.account.tenant_id, job.ref.job_id, job.request.draft
        joins: Joining | None = None
        async with self._engine.begin() as connection:
            row = await messaging.lock_job(connection, job_id, tenant_id)
            terms = await credits.account(connection, tenant_id)
            assert terms is not None, "without an account nothing is read"
            if row.chunks is None and row.cancel_requested_at is None:
                if may_join and terms.digest_minutes and not _waits(terms, job):
                    rows = [row for some, _ in composed for row in some]
                    joins = await joining(connection, self._submitter, job, rows, terms.digest_minutes)
                if joins:
                    composed = [([_digested(row) for row in some], piece) for some, piece in composed]
                taken: set[int] = set()
                for rows, _ in composed:
                    taken |= await messaging_chunks.write_recipients(connection, job_id, tenant_id, rows)
                sealed = [piece for _, piece in composed]
                await messaging_chunks.write_chunks(connection, job_id, tenant_id, sealed)
                if joins:
                    joins = joins.without(taken)
                    groups = {each: digest_group(job_id, each) for each in range(len(composed))}
                    await digests.join(connection, tenant_id, job_id, joins.notices, groups)
                outcomes = [
                    RecipientOutcome(position, RecipientState.SUPPRESSED, DUPLICATE_MESSAGE)
                    for position in sorted(taken)
                ]
                await messaging.mark_prepared(
                    connection,
                    job_id,
                    reservation_id=draft.reservation_id,
                    advertising=draft.advertising,
                    fallback=draft.mode == "both",
                    template_id=job.template.id if job.template else None,
                    send_at=joins.closes_at if joins else draft.send_at,
                    expires_at=job.expires_at,
                    asked_by=job.asked_by,
                    class_ids=job.class_ids,
                    approval=ApprovalState.WAITING if _waits(terms, job) else None,
                    notes=job.notes,
                    by_mail=draft.mode == "email",
                    recipients=sum(len(rows) for rows, _ in composed),
                    chunks=0 if joins else len(composed),
                )
                await credits.settle(connection, tenant_id, job_id, outcomes)
        for accepted in joins.accepted if joins else ():
            await self._submitter.start(accepted)
        # One that was cancelled meanwhile has nothing written; the next step says so.
        return await self._prepared(job.ref) or Prepared(chunks=1)


def _digested(row: NewRecipient) -> NewRecipient:
    return row if row.merged_into is not None else row._replace(merged_into=row.position)


def _waits(terms: AccountRow, job: Job) -> bool:
    """Whether a second person must agree. By the terms of now: whoever changes them later changes no job."""
    above, of_systems = terms.approval_above, terms.approval_of_systems
    return needs_approval(len(job.recipients), job.asked_by, above=above, of_systems=of_systems)
