package trace

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"

	"github.com/malgil/malgil/internal/fault"
)

// Export says where spans go.
type Export struct {
	// To is file:<path> for a file of one span a line in JSON, or the http or https URL of a collector that
	// speaks OTLP, such as http://localhost:4318/v1/traces. Empty is for no traces.
	To      string
	Share   float64      // of the traces that begin here that are kept, 0 to 1
	Version string       // of the program
	Log     *slog.Logger // told of spans that cannot be sent
}

const (
	filePrefix  = "file:"
	spansInLine = 16 << 10 // spans of a burst that wait to be sent; more are dropped
)

// Check says what is wrong with it.
func (e Export) Check() error {
	if !(e.Share >= 0 && e.Share <= 1) {
		return fault.Field("MALGIL_TRACE_SHARE", "must be 0 to 1")
	}
	if path, is := strings.CutPrefix(e.To, filePrefix); is {
		if path == "" {
			return fault.Field("MALGIL_TRACE", "needs the path of a file after file:")
		}
		return nil
	}
	u, err := url.Parse(e.To)
	if err == nil && (u.User != nil || u.RawQuery != "" || u.Fragment != "") {
		return fault.Field("MALGIL_TRACE", "holds more than a host and a path; what the collector wants to know of its callers goes into OTEL_EXPORTER_OTLP_HEADERS")
	}
	if e.To != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		return fault.Field("MALGIL_TRACE", "must be file:<path> or the http or https URL of a collector, such as http://localhost:4318/v1/traces")
	}
	return nil
}

// Open returns a tracer, nil where spans go nowhere, and what ends it: the spans that are left are sent first.
func (e Export) Open(ctx context.Context) (t *Tracer, end func(ctx context.Context) error, err error) {
	if e.To == "" {
		return nil, func(context.Context) error { return nil }, nil
	}
	if err := e.Check(); err != nil {
		return nil, nil, err
	}
	exporter, closed, err := e.exporter(ctx)
	if err != nil {
		return nil, nil, err
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { e.Log.Warn("traces not sent", "err", err) }))
	// What a caller or a task belongs to is kept by the same share, which goes by the trace id: all of it or nothing.
	share := sdk.TraceIDRatioBased(e.Share)
	provider := sdk.NewTracerProvider(
		sdk.WithBatcher(exporter, sdk.WithMaxQueueSize(spansInLine)),
		sdk.WithSampler(sdk.ParentBased(share, sdk.WithRemoteParentSampled(share))),
		sdk.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "malgil"),
			attribute.String("service.version", e.Version),
		)))
	return &Tracer{provider.Tracer(scope)}, func(ctx context.Context) error {
		return errors.Join(provider.Shutdown(ctx), closed())
	}, nil
}

func (e Export) exporter(ctx context.Context) (sdk.SpanExporter, func() error, error) {
	path, is := strings.CutPrefix(e.To, filePrefix)
	if !is {
		to := e.To
		if u, err := url.Parse(to); err == nil && strings.Trim(u.Path, "/") == "" {
			to = u.JoinPath("/v1/traces").String() // where collectors listen
		}
		exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(to))
		if err != nil {
			return nil, nil, fault.Wrap(fault.Invalid, err, "MALGIL_TRACE: traces cannot be sent there")
		}
		return exporter, func() error { return nil }, nil
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fault.Field("MALGIL_TRACE", "cannot be written: %v", err)
	}
	exporter, err := stdouttrace.New(stdouttrace.WithWriter(file))
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open the file of traces: %w", err), file.Close())
	}
	return exporter, file.Close, nil
}
