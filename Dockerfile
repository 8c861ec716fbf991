# The four binaries in one image; docker-compose.yml picks one by `command`.

FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY . .
# The caches outlive the layer: a changed line does not compile librdkafka again.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --locked --release --bins \
        --package command-api --package projectors --package query-api --package cli \
    && mkdir /out \
    && cp target/release/command-api target/release/projectors target/release/query-api \
        target/release/offset-zero /out/

FROM debian:bookworm-slim
# curl is for the health checks. The folder is for volumes: a new one belongs to whom the folder does that it is mounted on.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl libssl3 zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --user-group --no-create-home offset-zero \
    && install --directory --owner=offset-zero --group=offset-zero /var/lib/offset-zero
COPY --from=build /out/ /usr/local/bin/
USER offset-zero
EXPOSE 8080 8081
CMD ["offset-zero", "--help"]
