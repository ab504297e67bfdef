// Package trace follows one thing through all that is done about it: from the call that ordered it, over tasks
// and rows, to what is charged for it. What is done in one place is a span; the spans of one thing have one
// trace id, which logs name too.
//
// A context carries where its work belongs. A task and a row, which outlive it, carry the same as text: a
// traceparent of W3C Trace Context, https://www.w3.org/TR/trace-context/.
package trace

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	oteltrace "go.opentelemetry.io/otel/trace"
)

// scope names who makes the spans, for whoever reads them.
const scope = "github.com/malgil/malgil"

// Kind says on which side of a wire or a queue something is done.
type Kind = oteltrace.SpanKind

// The kinds of spans.
const (
	Inside   = oteltrace.SpanKindInternal
	Served   = oteltrace.SpanKindServer   // a call that came in
	Called   = oteltrace.SpanKindClient   // a call that went out
	Enqueued = oteltrace.SpanKindProducer // tasks that were made
	Worked   = oteltrace.SpanKindConsumer // a task that ran
)

// header is the name under which a traceparent travels.
const header = "traceparent"

// carrier is a traceparent as propagators of the library read and write it.
type carrier struct{ text string }

func (c *carrier) Get(key string) string {
	if key == header {
		return c.text
	}
	return ""
}

func (c *carrier) Set(key, value string) {
	if key == header {
		c.text = value
	}
}

func (c *carrier) Keys() []string { return []string{header} }

var format propagation.TraceContext

// Parent returns the traceparent of a context, for a task, a row or a request to another server; empty when
// nothing is traced.
func Parent(ctx context.Context) string {
	var c carrier
	format.Inject(ctx, &c)
	return c.text
}

// ID returns the trace id of a context, 32 hexadecimal digits, or nothing where its trace is not kept.
func ID(ctx context.Context) string {
	if at := oteltrace.SpanContextFromContext(ctx); at.IsSampled() {
		return at.TraceID().String()
	}
	return ""
}

// Tracer begins traces and goes on with those that a task, a row or a caller names. A nil one traces nothing.
type Tracer struct{ spans oteltrace.Tracer }

// Begin begins a span below a traceparent, or a trace of its own where that is empty or not one. What is
// done in the context that it returns belongs below the span, until end is called with how it went.
func (t *Tracer) Begin(ctx context.Context, kind Kind, parent, name string, attrs ...slog.Attr) (within context.Context, end func(error)) {
	if t == nil {
		return ctx, ended
	}
	ctx = format.Extract(oteltrace.ContextWithSpanContext(ctx, oteltrace.SpanContext{}), &carrier{parent})
	return begin(ctx, t.spans, kind, name, attrs)
}

// Step begins a span below that of a context; without one nothing is traced.
func Step(ctx context.Context, kind Kind, name string, attrs ...slog.Attr) (within context.Context, end func(error)) {
	above := oteltrace.SpanFromContext(ctx)
	if !above.IsRecording() {
		return ctx, ended
	}
	return begin(ctx, above.TracerProvider().Tracer(scope), kind, name, attrs)
}

// Note adds to the span of a context what became known of it.
func Note(ctx context.Context, attrs ...slog.Attr) {
	if span := oteltrace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(values(attrs)...)
	}
}

func ended(error) {}

func begin(ctx context.Context, tracer oteltrace.Tracer, kind Kind, name string, attrs []slog.Attr) (context.Context, func(error)) {
	ctx, span := tracer.Start(ctx, name, oteltrace.WithSpanKind(kind))
	if !span.IsRecording() {
		return ctx, func(error) { span.End() }
	}
	span.SetAttributes(values(attrs)...)
	return ctx, func(err error) {
		if err != nil {
			// Its words stay in the log: a peer may have put anything into them.
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// values are attributes as the library has them.
func values(attrs []slog.Attr) []attribute.KeyValue {
	all := make([]attribute.KeyValue, len(attrs))
	for i, a := range attrs {
		switch a.Value.Kind() {
		case slog.KindInt64:
			all[i] = attribute.Int64(a.Key, a.Value.Int64())
		case slog.KindBool:
			all[i] = attribute.Bool(a.Key, a.Value.Bool())
		case slog.KindFloat64:
			all[i] = attribute.Float64(a.Key, a.Value.Float64())
		default:
			all[i] = attribute.String(a.Key, a.Value.String())
		}
	}
	return all
}
