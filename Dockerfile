# One image for web, worker, beat and migrate; target "local" adds the local cloud.
FROM python:3.11-slim-bookworm AS base
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    STATIC_ROOT=/app/staticfiles
WORKDIR /app


FROM base AS build
COPY --from=ghcr.io/astral-sh/uv:0.13.8 /uv /usr/local/bin/
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never
# The dependencies first: they change less often than the code.
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-default-groups
COPY . .
RUN python manage.py collectstatic --noinput


FROM build AS build-local
RUN uv sync --frozen --no-default-groups --group local


FROM base AS runtime
# The code belongs to root and is not writable; /data is the only place that is.
RUN useradd --system --uid 10001 --home-dir /data --create-home app
ENV CLOUDADMIN_DATA_DIR=/data
VOLUME /data
USER 10001
EXPOSE 8000
# Any answer counts: behind a proxy, the application refuses this host name with a 400.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["python", "-c", "\
import http.client; web = http.client.HTTPConnection('127.0.0.1', 8000, timeout=4); \
web.request('GET', '/login/'); raise SystemExit(web.getresponse().status >= 500)"]
CMD ["uvicorn", "cloudadmin.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--lifespan", "off", "--no-proxy-headers"]


FROM runtime AS local
COPY --from=build-local /app /app


# The last stage is what "docker build" makes.
FROM runtime AS app
COPY --from=build /app /app
