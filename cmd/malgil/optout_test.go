package main

import (
	"strings"
	"testing"
)

// The commands of both lists call what they say, and tell what was answered.
func TestPeopleLists(t *testing.T) {
	const noted = `{"changed":false,"items":[{"type":"botUserKey","id":"u1","scope":"all","at":"2026-11-24T03:00:00Z","source":"전화"}],
		"suppression":{"scope":"all","at":"2026-11-24T03:00:00Z"},"consent":{"at":"2024-11-24T03:00:00Z","source":"앱"},"consent_valid":false}`
	const imported = `{"new":1200,"changed":0,"unchanged":3,"duplicates":1,"bad_rows":1,"problems":[{"line":4,"column":"at","message":"is missing; say when"}]}`
	people := file(t, "people.csv", "id\nu1\n")
	tests := map[string]struct {
		args []string
		call string // what is called
		says []string
		code int
	}{
		"add":            {[]string{"optout", "add", "b1", "u1", "--scope=all", "--source=전화"}, `PUT /api/v1/bots/b1/suppressions application/json {"id":"u1","scope":"all","source":"전화","type":"botUserKey"}`, []string{"nothing changed"}, 0},
		"remove":         {[]string{"optout", "remove", "b1", "7", "--type=appUserId"}, "DELETE /api/v1/bots/b1/suppressions?id=7&type=appUserId", nil, 0},
		"list":           {[]string{"optout", "list", "b1"}, "GET /api/v1/bots/b1/suppressions?limit=50", []string{"u1", "all", "2026-11-24 12:00:00 KST", "전화"}, 0},
		"import":         {[]string{"optout", "import", "b1", people, "--skip-bad-rows", "--map=id:회원"}, "POST /api/v1/bots/b1/suppressions/import?map=id%3A%ED%9A%8C%EC%9B%90&skip_bad_rows=true text/csv id\nu1", []string{"1,200", "line 4, at: is missing; say when"}, 0},
		"a dry run":      {[]string{"consent", "import", "b1", people, "--dry-run", "--skip-bad-rows"}, "POST /api/v1/bots/b1/consents/import?dry_run=true&skip_bad_rows=true text/csv id\nu1", []string{"nothing was stored"}, 0},
		"a bad dry run":  {[]string{"consent", "import", "b1", people, "--dry-run"}, "POST /api/v1/bots/b1/consents/import?dry_run=true text/csv id\nu1", []string{"1 bad rows; mend them"}, 1},
		"export":         {[]string{"optout", "export", "b1", "--out=-"}, "GET /api/v1/bots/b1/suppressions/export?bom=true&format=csv", []string{noted}, 0},
		"export of none": {[]string{"consent", "export", "b1", "--out=x.xlsx"}, "", []string{"--out must end in .csv or .ndjson"}, 2},
		"add a consent":  {[]string{"consent", "add", "b1", "u1", "--at=2026-11-24T12:00:00+09:00", "--night-at=2026-11-24T12:00:00+09:00"}, `PUT /api/v1/bots/b1/consents application/json {"at":"2026-11-24T12:00:00+09:00","id":"u1","night_at":"2026-11-24T12:00:00+09:00","type":"botUserKey"}`, nil, 0},
		"consents":       {[]string{"consent", "list", "b1"}, "GET /api/v1/bots/b1/consents?limit=50", []string{"AT NIGHT"}, 0},
		"show":           {[]string{"consent", "show", "b1", "7", "--type=appUserId"}, "GET /api/v1/bots/b1/stance?id=7&type=appUserId", []string{"refuses", "all since 2026-11-24 12:00:00 KST", "two years are over"}, 0},
		"another format": {[]string{"consent", "import", "b1", file(t, "people.txt", "id\n")}, "", []string{".csv, .xlsx or .ndjson"}, 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			answer := noted
			if tt.args[1] == "import" {
				answer = imported
			}
			came := uploads(t, answer)
			got := malgil(t, tt.args...)
			if calls := came(); strings.TrimSpace(calls) != tt.call {
				t.Errorf("called %q, want %q", calls, tt.call)
			}
			for _, text := range tt.says {
				if !strings.Contains(got.stdout+got.stderr, text) {
					t.Errorf("malgil %q says %q, %q; want %q", tt.args, got.stdout, got.stderr, text)
				}
			}
			if got.code != tt.code {
				t.Errorf("malgil %q exits %d with %q, want %d", tt.args, got.code, got.stderr, tt.code)
			}
		})
	}
}
