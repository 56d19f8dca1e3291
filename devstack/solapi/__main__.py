"""`python -m devstack.solapi --host 127.0.0.1 --port N`

Environment: SOLAPI_API_KEY and SOLAPI_API_SECRET (required), SIMULATOR_WEBHOOK_URL, SIMULATOR_WEBHOOK_SECRET,
SIMULATOR_SENDERS (registered sender numbers, comma separated), SIMULATOR_BALANCE (won).
"""

import argparse
import asyncio
import os

import uvicorn

from devstack.solapi.app import create_app
from devstack.solapi.control import Template, register_template
from devstack.solapi.gate import ResettableProtocol
from devstack.solapi.messages import Account
from devstack.solapi.provider import Provider
from devstack.solapi.webhooks import Webhooks, WebhookSettings

SENDERS = "0212345678,0312345678"
BALANCE = 10_000_000
PF_ID = "PF01SIMULATOR"
TEMPLATE = Template(
    template_id="TP01ARRIVAL",
    pf_id=PF_ID,
    name="등원 알림",
    content="[#{학원}]\n#{이름} 학생이 #{시각}에 등원했습니다.",
)


async def serve(host: str, port: int) -> None:
    environ = os.environ
    senders = environ.get("SIMULATOR_SENDERS", SENDERS)
    provider = Provider(Account(set(senders.split(","))), int(environ.get("SIMULATOR_BALANCE", BALANCE)))
    register_template(provider, TEMPLATE)
    settings = WebhookSettings(
        url=environ.get("SIMULATOR_WEBHOOK_URL") or None, secret=environ.get("SIMULATOR_WEBHOOK_SECRET", "")
    )
    app = create_app(provider, environ["SOLAPI_API_KEY"], environ["SOLAPI_API_SECRET"], Webhooks(settings))
    config = uvicorn.Config(
        app, host=host, port=port, log_level="warning", http=ResettableProtocol, timeout_graceful_shutdown=1
    )
    await uvicorn.Server(config).serve()


parser = argparse.ArgumentParser(prog="python -m devstack.solapi", description=__doc__)
parser.add_argument("--host", default="127.0.0.1")
parser.add_argument("--port", type=int, required=True)
arguments = parser.parse_args()
asyncio.run(serve(arguments.host, arguments.port))
