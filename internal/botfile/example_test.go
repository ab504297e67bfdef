package botfile_test

import (
	"slices"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/botfile"
	"github.com/malgil/malgil/internal/scenario"
)

// The example shows every kind of block and every way of answering, and passes its check.
func TestExample(t *testing.T) {
	content, header, problems := botfile.Read(t.Context(), botfile.Example(), scenario.Rules{})
	if len(problems) > 0 {
		t.Fatalf("Read(Example()) = %q, want no problem", lines(problems))
	}
	shows := map[string]bool{}
	for _, b := range content.Blocks {
		shows[string(b.Kind)] = true
		shows["asks"] = shows["asks"] || len(b.Asks) > 0
		shows["webhook"] = shows["webhook"] || b.Webhook != nil
		shows["handoff"] = shows["handoff"] || b.Handoff
		shows["context"] = shows["context"] || len(b.Context) > 0
		shows["event"] = shows["event"] || b.Event != ""
		shows["callback"] = shows["callback"] || b.Callback
		if b.Answer != nil {
			shows["carousel"] = shows["carousel"] || b.Answer.Outputs[0].Carousel != nil
		}
	}
	for _, what := range []string{"welcome", "fallback", "exit", "normal", "asks", "webhook", "handoff", "context", "event", "callback", "carousel"} {
		if !shows[what] {
			t.Errorf("Example() shows no %s", what)
		}
	}
	if len(content.Knowledge) < 25 || len(content.Servers) != 1 || header.Name == "" {
		t.Errorf("Example() has %d knowledge items, %d servers, header %+v", len(content.Knowledge), len(content.Servers), header)
	}
	fsys := fstest.MapFS{}
	for name, text := range botfile.Write(content, header) {
		fsys[name] = &fstest.MapFile{Data: text}
	}
	again, _, problems := botfile.Read(t.Context(), fsys, scenario.Rules{})
	if diff := cmp.Diff(content, again); diff != "" || len(problems) > 0 {
		t.Errorf("Read(Write(Example())) problems %q (-want +got):\n%s", lines(problems), diff)
	}
	if !slices.ContainsFunc(content.Blocks, func(b scenario.Block) bool { return b.Name == "상담원" && slices.Contains(b.Says, "상담직원") }) {
		t.Error("Example() has no block that leads to a person by fixed words")
	}
}
