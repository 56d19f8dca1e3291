"""Traces (OpenTelemetry): from a message or a request through its workflow to ffmpeg and the providers.

Nothing is imported or made unless OTEL_EXPORTER_OTLP_ENDPOINT names a collector. What a span has is names,
numbers and ids of ours. The text of an error may quote a person, so it stays here: of an error only its kind
goes out, whoever recorded it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from temporalio.client import Interceptor

from clients.spans import Span, Value

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Tracer

_NONE = Span()
_tracer: Tracer | None = None


def begin(process: str, endpoint: str | None) -> None:
    """Once for a process; without an `endpoint` (a collector, for OTLP by HTTP) nothing is traced. Sampling,
    limits and the like are the SDK's own variables."""
    if endpoint:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        begin_with(process, OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces"))


def begin_with(process: str, exporter: SpanExporter) -> None:
    """Spans go to this one, by and by and at the end of the process."""
    global _tracer
    from clients.otel import provider

    _tracer = provider(f"academy-{process}", exporter).get_tracer("academy")


def interceptors() -> Sequence[Interceptor]:
    """For a client and its workers. They add headers and no command, so running workflows do not mind."""
    if _tracer is None:
        return ()
    from temporalio.contrib.opentelemetry import TracingInterceptor

    return (TracingInterceptor(_tracer),)


@contextmanager
def span(name: str, parent: str | None = None, **values: Value | None) -> Iterator[Span]:
    """Around a piece of work; below what is measured around it, or below `parent`, the `traceparent` of W3C
    that somebody else has sent."""
    if _tracer is None:
        yield _NONE
        return
    from clients.otel import started

    with started(_tracer, name, parent, values) as begun:
        yield begun
