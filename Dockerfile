# One image for the three services; the command says which one runs.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}

# Chinese on printed schedules needs a font: 90 MB. Empty: none.
ARG FONTS=fonts-noto-cjk
RUN if [ -n "$FONTS" ]; then \
        apt-get update -q && apt-get install -qy --no-install-recommends $FONTS && rm -rf /var/lib/apt/lists/*; \
    fi

# Where the registry is out of reach, a folder `wheels` beside this file takes its place.
COPY requirements.txt wheels* /tmp/wheels/
RUN if ls /tmp/wheels/*.whl >/dev/null 2>&1; then only="--no-index --find-links /tmp/wheels"; fi; \
    python -m pip install --no-cache-dir --disable-pip-version-check --root-user-action ignore \
        --require-hashes ${only:-} -r /tmp/wheels/requirements.txt && rm -rf /tmp/wheels

WORKDIR /app
COPY shared shared
COPY services services
RUN python -m compileall -q shared services

# Annealing is compiled once in a container; without a place for its code, in every search.
ENV NUMBA_CACHE_DIR=/tmp/numba

ENV PYTHONUNBUFFERED=1
USER 10001:10001
EXPOSE 8000
