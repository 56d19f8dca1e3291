"""Real processes and a collector: one trace from the producer's message to the provider."""

import asyncio
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from devstack.app import running
from devstack.producer import message_body
from tests.lab import Lab, eventually
from tests.messages import Mail, phones

TRACE = "0123456789abcdef0123456789abcdef"


class Collector:
    def __init__(self) -> None:
        self.spans: list[tuple[str, Span]] = []  # by service
        self.raw = b""
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.raw += body
                for of in ExportTraceServiceRequest.FromString(body).resource_spans:
                    (service,) = [
                        each.value.string_value
                        for each in of.resource.attributes
                        if each.key == "service.name"
                    ]
                    collector.spans += [(service, span) for scope in of.scope_spans for span in scope.spans]
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def names(self, trace: str) -> set[tuple[str, str]]:
        return {(service, span.name) for service, span in self.spans if span.trace_id.hex() == trace}


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    thread = Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.mark.slow
async def test_one_trace_through_all_processes(own_lab: Lab, collector: Collector) -> None:
    mail = Mail(own_lab)
    tenant, (phone,) = await mail.account(), phones(1)
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
    async with running(own_lab.stack, "bridge", "messaging", "ops", **env):
        attribute = {"DataType": "String", "StringValue": f"00-{TRACE}-0123456789abcdef-01"}
        await asyncio.to_thread(
            own_lab.producer.send,
            own_lab.settings.messaging_sqs_queue_name,
            message_body(tenant, phone, "김하늘 학생이 등원했습니다."),
            traceparent=attribute,
        )
        await own_lab.ended(tenant)
        wanted = {
            ("academy-bridge", "message messaging"),
            ("academy-bridge", "StartWorkflow:messages"),
            ("academy-messaging", "RunActivity:messages.add"),
            ("academy-messaging", "solapi add"),
            ("academy-messaging", "solapi send"),
            ("academy-ops", "RunActivity:jobs.finish"),
        }

        async def all_there() -> bool:
            return wanted <= collector.names(TRACE)

        await eventually(all_there, f"missing: {wanted - collector.names(TRACE)}")
    assert phone.encode() not in collector.raw and "김하늘".encode() not in collector.raw
