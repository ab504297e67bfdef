package intake

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/botfile"
	"github.com/malgil/malgil/internal/scenario"
)

func hello(text string) map[string]any {
	return map[string]any{"outputs": []any{map[string]any{"simpleText": map[string]any{"text": text}}}}
}

// blockOf is a block as an import takes it.
func blockOf(id, text string, more map[string]any) map[string]any {
	b := map[string]any{"id": id, "name": "블록 " + id, "kind": "normal", "answer": hello(text)}
	for k, v := range more {
		b[k] = v
	}
	return b
}

func TestVersions(t *testing.T) {
	h := newHouse(t)
	_, _, botID := h.seed(0)
	bot := "/api/v1/bots/" + botID
	put := func(query string, blocks ...any) response {
		return h.do(call{method: "POST", path: bot + "/versions" + query, body: map[string]any{"blocks": blocks}})
	}
	one := blockOf("a", "하나", map[string]any{"kind": "welcome"})
	wantAt(t, "a dry run", put("?dry_run=true&deploy=true", one).want(200), map[string]any{"version": 1, "blocks": 1, "added": true, "live": true, "dry_run": true})
	wantAt(t, "GET bot after it", h.do(call{method: "GET", path: bot}).want(200), map[string]any{"version": 0, "live_version": 0, "blocks": 0})
	made := put("?note=%EA%B0%9C%EC%97%85&deploy=true", one)
	wantAt(t, "an import", made.want(201), map[string]any{
		"version": 1, "blocks": 1, "items": 0, "note": "개업", "added": true, "newest": true, "live": true, "dry_run": nil, "made_at": "2026-11-24T03:00:00Z",
	})
	if at := made.Header().Get("Location"); at != bot+"/versions/1" {
		t.Errorf("Location = %q, want that of version 1", at)
	}
	wantAt(t, "the same again", put("?note=other", one).want(200), map[string]any{"version": 1, "note": "개업", "added": false, "live": true})
	wantAt(t, "another", h.do(call{method: "POST", path: bot + "/versions", body: map[string]any{
		"blocks":    []any{blockOf("a", "둘", nil), blockOf("b", "셋", map[string]any{"event": "restock_alert", "callback": true, "delay": 2_000_000_000})},
		"knowledge": []any{map[string]any{"question": "반품", "answer": "7일"}},
	}}).want(201), map[string]any{"version": 2, "blocks": 2, "items": 1, "newest": true, "live": false})

	wantAt(t, "GET versions", h.do(call{method: "GET", path: bot + "/versions"}).want(200), map[string]any{
		"items.0.version": 2, "items.0.live": false, "items.1.version": 1, "items.1.live": true, "items.1.newest": false, "items.2": nil,
	})
	page := h.do(call{method: "GET", path: bot + "/versions?limit=1"}).want(200)
	next := h.do(call{method: "GET", path: bot + "/versions?limit=1&cursor=" + page["next_cursor"].(string)}).want(200)
	wantAt(t, "the second page", next, map[string]any{"items.0.version": 1, "next_cursor": nil})
	wantAt(t, "GET version", h.do(call{method: "GET", path: bot + "/versions/1"}).want(200), map[string]any{"version": 1, "note": "개업"})
	h.do(call{method: "GET", path: bot + "/versions/9"}).wantProblem(404, "NOT_FOUND", "")

	changes := map[string]any{
		"from": 1, "to": 2, "blocks.added.0.id": "b", "blocks.changed.0.id": "a", "blocks.changed.0.fields.0": "answer",
		"blocks.changed.0.fields.1": "kind", "blocks.removed": nil, "knowledge.added.0.id": "반품",
	}
	wantAt(t, "what a deploy would change", h.do(call{method: "GET", path: bot + "/versions/2/diff"}).want(200), changes)
	wantAt(t, "the same by name", h.do(call{method: "GET", path: bot + "/versions/2/diff?from=1"}).want(200), changes)
	wantAt(t, "from nothing", h.do(call{method: "GET", path: bot + "/versions/1/diff?from=0"}).want(200), map[string]any{"from": 0, "blocks.added.0.id": "a", "blocks.added.1": nil})
	h.do(call{method: "GET", path: bot + "/versions/1/diff?from=9"}).wantProblem(404, "NOT_FOUND", "")

	wantAt(t, "GET blocks", h.do(call{method: "GET", path: bot + "/blocks"}).want(200), map[string]any{
		"items.0.id": "a", "items.0.answer.outputs.0.simpleText.text": "둘", "items.1.event_name": "restock_alert", "items.1.callback": true, "items.1.delay_ms": 2000, "items.2": nil,
	})
	wantAt(t, "GET blocks that are live", h.do(call{method: "GET", path: bot + "/blocks?side=live"}).want(200), map[string]any{"items.0.kind": "welcome", "items.1": nil})

	h.do(call{method: "POST", path: bot + "/rollback"}).wantProblem(409, "NOTHING_BEFORE", "")
	wantAt(t, "deploy", h.do(call{method: "POST", path: bot + "/versions/2/deploy", body: map[string]any{"reason": "겨울 답변"}}).want(200),
		map[string]any{"number": 2, "version": 2, "reason": "겨울 답변", "rolled_back": nil})
	wantAt(t, "GET bot", h.do(call{method: "GET", path: bot}).want(200), map[string]any{"version": 2, "live_version": 2, "blocks": 2})
	h.do(call{method: "POST", path: bot + "/versions/9/deploy"}).wantProblem(404, "NOT_FOUND", "")
	h.do(call{method: "POST", path: bot + "/versions/1/deploy", body: map[string]any{"reason": "a\nb"}}).wantProblem(422, "INVALID", "body.reason")
	h.do(call{method: "POST", path: bot + "/rollback", body: map[string]any{"from": 1}}).wantProblem(409, "NOT_LIVE", "")
	wantAt(t, "rollback", h.do(call{method: "POST", path: bot + "/rollback", body: map[string]any{"from": 2}, header: map[string]string{"Malgil-Reason": "typo"}}).want(200),
		map[string]any{"number": 3, "version": 1, "rolled_back": true, "reason": "typo"})
	wantAt(t, "GET deploys", h.do(call{method: "GET", path: bot + "/deploys"}).want(200), map[string]any{
		"items.0.version": 1, "items.0.rolled_back": true, "items.1.reason": "겨울 답변", "items.2.version": 1, "items.3": nil,
	})
	wantAt(t, "the audit log", h.do(call{method: "GET", path: "/api/v1/audit?limit=4"}).want(200), map[string]any{
		"items.0.action": "roll-back", "items.0.reason": "typo", "items.0.after.live": 1,
		"items.1.action": "deploy-version", "items.1.reason": "겨울 답변", "items.1.before.live": 1, "items.1.after.live": 2,
		"items.2.action": "import-version", "items.2.after.version": 2, "items.2.after.items": 1,
		"items.3.action": "import-version", "items.3.after.version": 1, "items.3.after.live": 1,
	})
}

func TestVersions_refusesAll(t *testing.T) {
	h := newHouse(t)
	_, _, botID := h.seed(0)
	path := "/api/v1/bots/" + botID + "/versions"
	long := strings.Repeat("가", 1001)
	tests := map[string]struct {
		body   any
		query  string
		status int
		fields []string
	}{
		"no JSON":               {body: `{"blocks":`, status: 422},
		"an unknown list":       {body: map[string]any{"block": []any{}}, status: 422},
		"nested too deep":       {body: `{"blocks":[` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `]}`, status: 422},
		"two values":            {body: `{} {}`, status: 422},
		"an unknown field":      {body: map[string]any{"blocks": []any{blockOf("a", "x", nil), blockOf("b", "x", map[string]any{"evnt": "e"})}}, status: 422, fields: []string{"body.blocks[1]"}},
		"wrong kinds":           {body: `{"blocks":[{"id":1},{"name":[]}],"knowledge":[{"question":{}}],"servers":[7]}`, status: 422, fields: []string{"body.blocks[0]", "body.blocks[1]", "body.knowledge[0]", "body.servers[0]"}},
		"no list":               {body: `{"blocks":{}}`, status: 422, fields: []string{"body.blocks"}},
		"more blocks than kept": {body: `{"blocks":[{}` + strings.Repeat(",{}", 1_000_000) + `]}`, status: 422, fields: []string{"body.blocks"}},
		"a block without end":   {body: `{"blocks":[{"handoff":true,"answer":{"outputs":[{}` + strings.Repeat(",{}", 500_000) + `]}}]}`, status: 422, fields: []string{"body.blocks[0]"}},
		"two answers": {body: map[string]any{"blocks": []any{blockOf("a", long, nil), blockOf("b", "x", nil), blockOf("c", "x", map[string]any{"answer": map[string]any{"outputs": []any{}}})}}, status: 422,
			fields: []string{"body.blocks[0].answer.outputs[0].simpleText.text", "body.blocks[2].answer.outputs"}},
		"a long note":      {body: `{}`, query: "?note=" + strings.Repeat("a", 501), status: 422, fields: []string{"query.note"}},
		"an unknown query": {body: `{}`, query: "?force=true", status: 422, fields: []string{"query.force"}},
		"no choice":        {body: `{}`, query: "?deploy=maybe", status: 422, fields: []string{"query.deploy"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			first := ""
			if len(tt.fields) > 0 {
				first = tt.fields[0]
			}
			p := h.do(call{method: "POST", path: path + tt.query, body: tt.body}).wantProblem(tt.status, "INVALID", first)
			var got []string
			for _, e := range p.Errors {
				got = append(got, e.Location)
			}
			if fmt.Sprint(got) != fmt.Sprint(tt.fields) || p.Detail == "" {
				t.Errorf("problem = %+v, want those about %v", p, tt.fields)
			}
		})
	}
	for first, body := range map[string]string{"body.knowledge[0]": "7", "body.knowledge[0].question": "{}"} {
		p := h.do(call{method: "POST", path: path, body: `{"knowledge":[` + body + strings.Repeat(","+body, 5_000) + `]}`}).wantProblem(422, "INVALID", first)
		if n := len(p.Errors); n != scenario.MaxProblems+1 || p.Errors[n-1].Location != "body" || p.Errors[n-1].Message != scenario.MoreProblems {
			t.Errorf("%s first: %d errors, want %d and one that says that there are more", first, n, scenario.MaxProblems)
		}
	}
	h.do(call{method: "POST", path: path, body: `{}`, header: map[string]string{"Content-Type": "text/csv"}}).wantProblem(415, "UNSUPPORTED_MEDIA_TYPE", "")
	h.do(call{method: "POST", path: path, body: `{"blocks":[]}` + strings.Repeat(" ", maxImport)}).wantProblem(413, "TOO_LARGE", "")
	h.do(call{method: "POST", path: "/api/v1/bots/none/versions", body: `{}`}).wantProblem(404, "NOT_FOUND", "")
	wantAt(t, "GET versions", h.do(call{method: "GET", path: path}).want(200), map[string]any{"items.0": nil})
}

// A folder is taken whole, and everything that is wrong with its files is told by file and line.
func TestVersions_folder(t *testing.T) {
	h := newHouse(t)
	_, _, botID := h.seed(0)
	path := "/api/v1/bots/" + botID + "/versions"
	zipped := map[string]string{"Content-Type": "application/zip"}
	content, header, problems := botfile.Read(t.Context(), botfile.Example(), scenario.Rules{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	header.ID = "77b2f0"
	another := h.do(call{method: "POST", path: path, body: string(botfile.Zip(botfile.Write(content, header))), header: zipped}).wantProblem(422, "INVALID", "body.id")
	if e := another.Errors[0]; e.File != "bot.yaml" || !strings.Contains(e.Message, header.ID) || !strings.Contains(e.Message, botID) {
		t.Errorf("the folder of another bot: %+v, want both ids and their file", e)
	}
	header.ID = botID
	archive := botfile.Zip(botfile.Write(content, header))
	wantAt(t, "the example", h.do(call{method: "POST", path: path + "?deploy=true", body: string(archive), header: zipped}).want(201),
		map[string]any{"version": 1, "added": true, "live": true})
	wantAt(t, "the example again", h.do(call{method: "POST", path: path, body: string(archive), header: zipped}).want(200), map[string]any{"version": 1, "added": false})

	got := h.do(call{method: "GET", path: path + "/1/content"})
	back := got.Body.Bytes()
	if got.Code != 200 || got.Header().Get("Content-Type") != "application/zip" || !strings.Contains(got.Header().Get("Content-Disposition"), "malgil-"+botID+"-1.zip") {
		t.Errorf("GET content = %d, %v", got.Code, got.Header())
	}
	wantAt(t, "what it gives back", h.do(call{method: "POST", path: path, body: string(back), header: zipped}).want(200), map[string]any{"version": 1, "added": false})
	h.do(call{method: "GET", path: path + "/2/content"}).wantProblem(404, "NOT_FOUND", "")

	bad := botfile.Zip(map[string][]byte{
		"bot.yaml":         []byte("id: 66a1\nname: 서점\nnonsense: 1\n"),
		"blocks/01-a.yaml": []byte("id: a\nname: 영업시간\nkind: normal\nanswer:\n  outputs: []\n"),
	})
	p := h.do(call{method: "POST", path: path, body: string(bad), header: zipped}).wantProblem(422, "INVALID", "body.answer.outputs")
	var files []string
	for _, e := range p.Errors {
		files = append(files, fmt.Sprintf("%s:%d", e.File, e.Line))
	}
	if len(files) < 2 || !slices.Contains(files, "bot.yaml:3") || !slices.ContainsFunc(files, func(f string) bool { return strings.HasPrefix(f, "blocks/01-a.yaml:") }) {
		t.Errorf("errors = %+v, want those of both files", p.Errors)
	}
	h.do(call{method: "POST", path: path, body: "PK no archive", header: zipped}).wantProblem(422, "INVALID", "")
	wantAt(t, "GET versions", h.do(call{method: "GET", path: path}).want(200), map[string]any{"items.0.version": 1, "items.1": nil})
}
