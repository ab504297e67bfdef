package main

import (
	"strings"
	"testing"
)

func TestBotTeach(t *testing.T) {
	came := uploads(t, `{"version":5,"blocks":6,"items":13,"live":false}`)
	got := malgil(t, "bot", "teach", "b1", "포장 되나요", "네", "--category=주문", "--category=포장", "--link=https://a.example/g")
	call := came()
	if !strings.HasPrefix(call, "POST /api/v1/bots/b1/knowledge") || got.code != 0 {
		t.Fatalf("called %q and exits %d with %q", call, got.code, got.stderr)
	}
	for _, text := range []string{`"question":"포장 되나요"`, `"categories":["주문","포장"]`, `"landing_url":"https://a.example/g"`, `"deploy":false`} {
		if !strings.Contains(call, text) {
			t.Errorf("it sent %q, want %s in it", call, text)
		}
	}
	if strings.Contains(call, "image_url") || !strings.Contains(got.stdout, "version 5 of bot b1: 6 blocks, 13 knowledge items") || !strings.Contains(got.stderr, "malgil bot deploy b1 5") {
		t.Errorf("it sent %q and says %q and %q", call, got.stdout, got.stderr)
	}
	uploads(t, `{"version":5,"blocks":6,"items":13,"live":true}`)
	if got := malgil(t, "bot", "teach", "b1", "q", "a", "--deploy"); !strings.HasSuffix(got.stdout, "live\n") || got.stderr != "" {
		t.Errorf("live at once, it says %q and %q", got.stdout, got.stderr)
	}
	came = uploads(t, `{"version":5,"blocks":6,"items":13,"live":true,"near":[{"question":"포장이 되나요?","score":97},{"block":"wrap","words":"포장","score":90}]}`)
	got = malgil(t, "bot", "teach", "b1", "포장 되나요", "네", "--deploy", "--on=3")
	for _, text := range []string{`item "포장이 되나요?", which scores 97`, `"포장" of block wrap, which scores 90`} {
		if !strings.Contains(got.stderr, text) {
			t.Errorf("beside near ones it says %q, want %q in it", got.stderr, text)
		}
	}
	if call := came(); !strings.Contains(call, `"on":3`) {
		t.Errorf("it sent %q, want the version to build on", call)
	}
}
