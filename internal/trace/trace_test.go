package trace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/fault"
)

type line struct {
	Name        string
	SpanKind    int
	SpanContext struct{ TraceID, SpanID string }
	Parent      struct{ SpanID string }
	Attributes  []struct {
		Key   string
		Value struct{ Value any }
	}
	Status struct{ Code, Description string }
}

// traced runs something with a tracer and returns the spans that it made, in the order in which they ended.
func traced(t *testing.T, share float64, do func(*Tracer)) (all []line) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "traces")
	tracer, end, err := Export{To: "file:" + path, Share: share, Log: slog.New(slog.DiscardHandler)}.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	do(tracer)
	if err := end(t.Context()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for one := range bytes.Lines(text) {
		var l line
		if err := json.Unmarshal(one, &l); err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	return all
}

func TestTracer(t *testing.T) {
	var task, logged string
	all := traced(t, 1, func(tracer *Tracer) {
		ctx, end := tracer.Begin(t.Context(), Served, "", "order", slog.Int("people", 3), slog.Bool("ad", true), slog.String("bot", "b"))
		inside, endStep := Step(ctx, Called, "ask")
		Note(inside, slog.Float64("share", 0.5))
		endStep(errors.New("the words of a peer"))
		task, logged = Parent(ctx), ID(inside)
		end(nil)

		_, end = tracer.Begin(ctx, Worked, task, "work") // elsewhere, later
		end(nil)
		_, end = tracer.Begin(ctx, Worked, "", "another") // belongs to nothing, whatever its context does
		end(nil)
	})
	if len(all) != 4 {
		t.Fatalf("%d spans were written, want 4: %+v", len(all), all)
	}
	ask, order, work, another := all[0], all[1], all[2], all[3]
	if ask.Parent.SpanID != order.SpanContext.SpanID || work.Parent.SpanID != order.SpanContext.SpanID {
		t.Errorf("a step lies below %s and a task below %s, want the order %s", ask.Parent.SpanID, work.Parent.SpanID, order.SpanContext.SpanID)
	}
	if id := order.SpanContext.TraceID; ask.SpanContext.TraceID != id || work.SpanContext.TraceID != id || logged != id {
		t.Errorf("traces are %s, %s, and %q for the log, want %s", ask.SpanContext.TraceID, work.SpanContext.TraceID, logged, id)
	}
	if another.SpanContext.TraceID == order.SpanContext.TraceID {
		t.Error("a task without a trace has that of its context, want one of its own")
	}
	if ask.Status.Code != "Error" || ask.Status.Description != "" || order.Status.Code != "Unset" {
		t.Errorf("what failed is %+v and what did not %+v, want Error without words and Unset", ask.Status, order.Status)
	}
	if text, _ := json.Marshal(order.Attributes); string(text) != `[{"Key":"people","Value":{"Value":3}},{"Key":"ad","Value":{"Value":true}},{"Key":"bot","Value":{"Value":"b"}}]` {
		t.Errorf("an order has the attributes %s", text)
	}
	if text, _ := json.Marshal(ask.Attributes); string(text) != `[{"Key":"share","Value":{"Value":0.5}}]` {
		t.Errorf("a step has the attributes %s", text)
	}
	if kinds := []int{ask.SpanKind, order.SpanKind, work.SpanKind}; !slices.Equal(kinds, []int{int(Called), int(Served), int(Worked)}) {
		t.Errorf("the kinds are %v", kinds)
	}
}

// A trace is kept whole or not at all, wherever it goes on.
func TestTracer_share(t *testing.T) {
	names := func(all []line) (names []string) {
		for _, l := range all {
			names = append(names, l.Name)
		}
		return names
	}
	work := func(tracer *Tracer) {
		ctx, end := tracer.Begin(t.Context(), Served, "", "order")
		_, endStep := Step(ctx, Inside, "step")
		_, endTask := tracer.Begin(t.Context(), Worked, Parent(ctx), "task")
		endTask(nil)
		endStep(nil)
		end(nil)
	}
	if got := names(traced(t, 0, work)); len(got) != 0 {
		t.Errorf("of no traces %q were kept", got)
	}
	if got := names(traced(t, 1, work)); !slices.Equal(got, []string{"task", "step", "order"}) {
		t.Errorf("of all traces %q were kept", got)
	}
	const stranger = "00-ffffffffffffffffffffffffffffffff-00f067aa0ba902b7-01" // asks for it
	if got := names(traced(t, 0.5, func(tracer *Tracer) {
		_, end := tracer.Begin(t.Context(), Served, stranger, "order")
		end(nil)
	})); len(got) != 0 {
		t.Errorf("a caller has his trace kept beyond the share: %q", got)
	}
}

func TestTracer_none(t *testing.T) {
	tracer, end, err := Export{}.Open(t.Context())
	if tracer != nil || err != nil || end(t.Context()) != nil {
		t.Fatalf("without a place for traces there is a tracer %v, %v", tracer, err)
	}
	ctx := t.Context()
	within, ended := tracer.Begin(ctx, Served, "", "order")
	step, stepped := Step(within, Inside, "step")
	Note(step, slog.Int("n", 1))
	stepped(nil)
	ended(errors.New("x"))
	if within != ctx || step != ctx || Parent(step) != "" || ID(step) != "" {
		t.Error("nothing is traced, and its contexts belong to something")
	}
}

func TestLogged(t *testing.T) {
	var text bytes.Buffer
	log := Logged(slog.New(slog.NewJSONHandler(&text, nil))).With("role", "all").WithGroup("g")
	var id string
	traced(t, 1, func(tracer *Tracer) {
		ctx, end := tracer.Begin(t.Context(), Served, "", "order")
		defer end(nil)
		id = ID(ctx)
		log.InfoContext(ctx, "within")
	})
	log.InfoContext(t.Context(), "outside")
	within, outside, _ := strings.Cut(text.String(), "\n")
	if !strings.Contains(within, `"trace_id":"`+id+`"`) || strings.Contains(outside, "trace_id") {
		t.Errorf("the log of trace %s says\n%s\n%s", id, within, outside)
	}
}

// A collector is spoken to in OTLP over HTTP.
func TestExport_collector(t *testing.T) {
	got := make(chan string, 1)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || !bytes.Contains(body, []byte("an order")) {
			t.Errorf("the collector was sent %q, %v", body, err)
		}
		got <- r.Method + " " + r.URL.Path + " " + r.Header.Get("Content-Type")
	}))
	defer collector.Close()
	tracer, end, err := Export{To: collector.URL, Share: 1, Version: "1.2.3", Log: slog.New(slog.DiscardHandler)}.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, ended := tracer.Begin(t.Context(), Served, "", "an order")
	ended(nil)
	if err := end(t.Context()); err != nil {
		t.Fatal(err)
	}
	if call := <-got; call != "POST /v1/traces application/x-protobuf" {
		t.Errorf("the collector was called %s", call)
	}
}

func TestExport_Check(t *testing.T) {
	for to, wrong := range map[string]bool{
		"": false, "file:/tmp/x": false, "http://localhost:4318/v1/traces": false, "https://otel.example/v1/traces": false,
		"http://user:secret@otel.example/v1/traces": true, "https://otel.example/v1/traces?key=secret": true, "file:": true, "localhost:4318": true, "grpc://localhost:4317": true, "http://": true, "/tmp/x": true,
	} {
		if err := (Export{To: to, Share: 1}).Check(); (err != nil) != wrong {
			t.Errorf("Check of %q = %v", to, err)
		}
	}
	for _, share := range []float64{-0.1, 1.1} {
		if err := (Export{Share: share}).Check(); fault.KindOf(err) != fault.Invalid {
			t.Errorf("Check of a share of %v = %v, want Invalid", share, err)
		}
	}
	if _, _, err := (Export{To: "file:" + filepath.Join(t.TempDir(), "no", "such"), Share: 1}).Open(t.Context()); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a file in a folder that is not there = %v, want Invalid", err)
	}
}

// What is not traced costs nothing to speak of.
func BenchmarkStep_none(b *testing.B) {
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		within, end := Step(ctx, Called, "step")
		_ = Parent(within)
		end(nil)
	}
}
