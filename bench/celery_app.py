"""One text as a Celery task, as its documentation advises for work that must not be lost: acknowledged late,
given back when the worker dies, tried again with backoff. Run by `bench.duplicates`."""

import os

from celery import Celery
from solapi import SolapiMessageService
from solapi.model import RequestMessage

VISIBILITY = 10  # seconds until the broker gives an unacknowledged task to somebody else
RETRIES = 5

app = Celery("bench", broker=os.environ["CELERY_BROKER"])
# With a low timeout kombu advises to look for abandoned messages often; else it does every 100 seconds.
app.conf.broker_transport_options = {
    "visibility_timeout": VISIBILITY,
    "unacked_restore_interval": 2,
    "unacked_restore_throttle": 1,
}
app.conf.worker_prefetch_multiplier = 1

service = SolapiMessageService(os.environ["SOLAPI_API_KEY"], os.environ["SOLAPI_API_SECRET"])
service.base_url = os.environ["SOLAPI_BASE_URL"]


@app.task(
    acks_late=True,
    reject_on_worker_lost=True,
    autoretry_for=(Exception,),
    retry_backoff=True,
    retry_backoff_max=4,
    max_retries=RETRIES,
)
def send(sender: str, phone: str, text: str) -> None:
    service.send(RequestMessage(from_=sender, to=phone, text=text))
