# The flowd node. Roles, metastore and queue come from FLOWD__* variables:
#   docker run -e FLOWD__DATABASE__URL=... -e FLOWD__QUEUE__URL=... flowd run --roles worker
FROM python:3.11-slim-bookworm AS build

WORKDIR /build
RUN python -m venv /opt/flowd
ENV PATH=/opt/flowd/bin:$PATH

# The dependencies change seldom: a layer of their own.
COPY requirements-run.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements-run.lock

COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN pip install --no-cache-dir --no-deps --no-build-isolation .


FROM python:3.11-slim-bookworm

# tini reaps what tasks leave behind and passes SIGTERM on, which drains the node.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/flowd --create-home flowd \
    && install --directory --owner=flowd /var/log/flowd

COPY --from=build /opt/flowd /opt/flowd

ENV PATH=/opt/flowd/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    FLOWD_HOME=/var/lib/flowd \
    FLOWD__API__HOST=0.0.0.0

USER 10001
WORKDIR /var/lib/flowd
VOLUME /var/lib/flowd
EXPOSE 8080

# Only a node with the api role answers; of others the process itself is the sign of life.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; 'api' not in os.environ.get('FLOWD__NODE__ROLES', 'api') or r.urlopen('http://127.0.0.1:%s/livez' % os.environ.get('FLOWD__API__PORT', '8080'), timeout=2)"]

ENTRYPOINT ["tini", "--", "flowd"]
CMD ["run"]
