# The image of Bonafide: one program, no user of the system, nothing to install.
#
#   docker build -t bonafide .
#   docker run -p 3000:3000 -v bonafide:/data bonafide

FROM rust:1.95-slim-trixie AS build
# The allocator is built with make, which the slim image leaves out.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN cargo build --locked --config dist.toml --profile dist --package bonafide \
    && mkdir /data

FROM debian:trixie-slim
LABEL org.opencontainers.image.title="Bonafide" \
      org.opencontainers.image.description="Is this customer bona fide? A verification server you run yourself." \
      org.opencontainers.image.licenses="Apache-2.0"
# The authorities that outgoing connections trust.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /source/target/dist/bonafide /usr/local/bin/bonafide
COPY --from=build --chown=65532:65532 /data /data
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
# From here ./data is /data, where the database and the secrets are kept unless they come from outside.
WORKDIR /
ENV BIND=0.0.0.0
ENV LOG_FORMAT=json
EXPOSE 3000
# Whether the process answers. Whether its database does is no reason to start it again: it heals by
# itself when the database is back.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["bonafide", "health", "--live"]
CMD ["bonafide", "serve"]
