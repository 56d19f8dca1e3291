# One image for every process of ours: the API, the workers, the bridge and the migrations.

FROM python:3.11-slim-trixie AS packages
COPY requirements.lock /
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --no-deps --only-binary :all: --require-hashes -r /requirements.lock


FROM python:3.11-slim-trixie

LABEL org.opencontainers.image.title="academy-workflows" \
      org.opencontainers.image.version="0.6.0" \
      org.opencontainers.image.licenses="MIT"

# Not pinned: Debian takes an old version off its mirrors with every security fix, and a pin would then
# break the build. Within a stable release the upstream version (ffmpeg 7.1) does not change.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ffmpeg tesseract-ocr \
    && rm -rf /var/lib/apt/lists/*

# /work exists here so that a new volume mounted on it belongs to this user.
RUN groupadd --gid 10001 academy \
    && useradd --uid 10001 --gid academy --no-create-home --shell /usr/sbin/nologin academy \
    && install --directory --owner academy --group academy /work

COPY --from=packages /venv /venv
WORKDIR /app
COPY alembic.ini ./
COPY migrations migrations
COPY contracts contracts
COPY rules rules
COPY workflows workflows
COPY activities activities
COPY clients clients
COPY intake intake
COPY workers workers
COPY api api
COPY academy academy
RUN printf '#!/bin/sh\nPYTHONPATH=/app exec /venv/bin/python -m academy "$@"\n' > /venv/bin/academy \
    && chmod 755 /venv/bin/academy

# Compiled now: the file system is read-only when it runs.
RUN /venv/bin/python -m compileall -q .

ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    OMP_THREAD_LIMIT=1

USER 10001:10001
CMD ["python", "-m", "api", "--host", "0.0.0.0", "--port", "8000"]
