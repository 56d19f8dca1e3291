"""What `clients.tracing` is made of where somebody traces: imported only then."""

import atexit
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Event as Signal
from threading import Thread

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import Status, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from clients.spans import Span, Value

KIND_OF_ERROR = "exception.type"
PATIENCE = 5.0  # seconds that the end of a process waits for a collector; the SDK would wait for 30
_W3C = TraceContextTextMapPropagator()  # and no baggage: others would put into it what they like


def provider(service: str, exporter: SpanExporter) -> TracerProvider:
    made = TracerProvider(resource=Resource.create({"service.name": service}), shutdown_on_exit=False)
    made.add_span_processor(BatchSpanProcessor(WithoutTexts(exporter)))
    _end_in_time(made)
    return made


def _end_in_time(made: TracerProvider) -> None:
    """At the end of the process hand out what is left, for no longer than PATIENCE."""
    asked = Signal()

    def end() -> None:
        asked.wait()
        made.shutdown()

    ending = Thread(target=end, daemon=True, name="traces-end")
    ending.start()  # now: at the end no thread can be started any more

    def at_exit() -> None:
        asked.set()
        ending.join(PATIENCE)

    atexit.register(at_exit)


@contextmanager
def started(
    tracer: Tracer, name: str, parent: str | None, values: Mapping[str, Value | None]
) -> Iterator[Span]:
    context = _W3C.extract({"traceparent": parent}) if parent else None
    with tracer.start_as_current_span(name, context) as begun:
        span = _Begun(begun)
        span.add(**values)
        yield span


class _Begun(Span):
    def __init__(self, span: OtelSpan) -> None:
        self._span = span

    def add(self, **values: Value | None) -> None:
        for name, value in values.items():
            if value is not None:
                self._span.set_attribute(name, value)


class WithoutTexts(SpanExporter):
    """Hands spans on without the texts of errors: Temporal's interceptor records them, and OpenTelemetry does
    by itself whenever an exception passes through a span."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._exporter.export([_without_texts(each) for each in spans])

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _without_texts(span: ReadableSpan) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=span.attributes,
        events=[_kind_only(each) for each in span.events],
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _kind_only(event: Event) -> Event:
    kind = (event.attributes or {}).get(KIND_OF_ERROR)
    return Event(event.name, {KIND_OF_ERROR: kind} if kind else None, event.timestamp)
