# The settlement process: docker build -f deploy/aws/settlement.Dockerfile --build-arg PYTHON_IMAGE=python@sha256:… .
# The base image (Python 3.11) by its digest, everything else by the hashes of a lock; nothing is fetched when it runs.
ARG PYTHON_IMAGE
FROM ${PYTHON_IMAGE} AS built
WORKDIR /build
RUN python -m venv /opt/sdt
COPY deploy/aws/settlement.lock ./
RUN /opt/sdt/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r settlement.lock
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
COPY regions ./regions
RUN /opt/sdt/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM ${PYTHON_IMAGE}
COPY --from=built /opt/sdt /opt/sdt
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin sdt
ENV PATH=/opt/sdt/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# Fargate gives an empty volume the rights that the image's folder has, if the image says that it is one.
VOLUME ["/tmp"]
USER 10001:10001
ENTRYPOINT []
CMD ["python", "-m", "sdt.worker", "--home", "/mnt/sdt"]
