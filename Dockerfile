# One image for every process: the command says which.
FROM python:3.12-slim
WORKDIR /app
COPY requirements.lock pyproject.toml README.md ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY . .
RUN pip install --no-cache-dir --no-deps -e . && useradd --system marginstream && mkdir .marginstream keys && chown marginstream .marginstream keys
USER marginstream
ENV PYTHONUNBUFFERED=1
ENTRYPOINT ["marginstream"]
CMD ["worker"]
