"""Tasks that tell of their place in a trace, and one that fails first."""

import os
from datetime import datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, task

with DAG("traced", schedule=None, start_date=datetime(2024, 1, 1)):

    @task
    def place() -> str:
        return os.environ.get("TRACEPARENT", "none")

    @task(retries=1, retry_delay=timedelta(0))
    def stumbles(ti=None) -> None:
        if ti.try_number == 1:
            raise ValueError("not yet")

    @task
    def tells() -> None:
        # As docs/how-to/traces.md has it.
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        collector = os.environ.get("COLLECTOR")
        if collector is None:
            return
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{collector}/v1/traces")))
        here = TraceContextTextMapPropagator().extract({"traceparent": os.environ.get("TRACEPARENT", "")})
        with trace.get_tracer("etl", tracer_provider=provider).start_as_current_span("copy", context=here):
            pass

    BashOperator(task_id="script", bash_command="echo ${TRACEPARENT:-none}") >> place() >> stumbles() >> tells()
