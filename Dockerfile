# syntax=docker/dockerfile:1
# One static binary on an empty image. The tag could not be looked up where this was written:
# check that it exists and has at least the Go version of go.mod, or pass --build-arg GO_IMAGE=….
ARG GO_IMAGE=golang:1.26.8-bookworm
FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /out/malgil ./cmd/malgil
# Certificates for Kakao, KakaoPay and SMTP; time zones for schedules. An empty image has neither.
RUN mkdir -p /out/etc/ssl/certs /out/data /out/tmp && \
    cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ && \
    cp "$(go env GOROOT)/lib/time/zoneinfo.zip" /out/zoneinfo.zip && \
    printf 'malgil:x:65532:65532::/data:/\n' >/out/etc/passwd && \
    chmod 1777 /out/tmp && chown 65532:65532 /out/data

FROM scratch
COPY --from=build /out/ /
ENV ZONEINFO=/zoneinfo.zip
USER 65532:65532
# Only /data is written to (the embedded SQLite file) and /tmp (large uploads, statements), so the root may be
# read-only: docker run --read-only --tmpfs /tmp -v malgil:/data …
WORKDIR /data
VOLUME /data
ENTRYPOINT ["/malgil"]
CMD ["all"]
