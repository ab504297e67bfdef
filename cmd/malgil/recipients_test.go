package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
)

// uploads is a server that takes every upload; it tells what came.
func uploads(t *testing.T, answer string) (came func() string) {
	t.Helper()
	calls := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if len(body) > 200 {
			body = body[:2]
		}
		calls <- r.Method + " " + r.URL.RequestURI() + " " + r.Header.Get("Content-Type") + " " + string(body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	t.Setenv("MALGIL_URL", server.URL)
	t.Setenv("MALGIL_TOKEN", "mlg_x")
	return func() string {
		var all []string
		for len(calls) > 0 {
			all = append(all, <-calls)
		}
		return strings.Join(all, "; ")
	}
}

func TestBroadcastUpload(t *testing.T) {
	book := excelize.NewFile()
	for cell, text := range map[string]string{"A1": "회원번호", "A2": "u1"} {
		if err := book.SetCellStr("Sheet1", cell, text); err != nil {
			t.Fatal(err)
		}
	}
	workbook := filepath.Join(t.TempDir(), "people.xlsx")
	if err := book.SaveAs(workbook); err != nil {
		t.Fatal(err)
	}
	const media = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	csv := file(t, "people.csv", "id\nu1\n")
	tests := map[string]struct {
		args []string
		want string
	}{
		"CSV":            {[]string{"broadcast", "upload", "brd_1", csv}, "PUT /api/v1/broadcasts/brd_1/recipients text/csv id\nu1\n"},
		"a workbook":     {[]string{"broadcast", "upload", "brd_1", workbook, "--map=id:회원번호"}, "PUT /api/v1/broadcasts/brd_1/recipients?map=id%3A%ED%9A%8C%EC%9B%90%EB%B2%88%ED%98%B8 " + media + " PK"},
		"NDJSON":         {[]string{"broadcast", "upload", "brd_1", file(t, "people.ndjson", `{"id":"u1"}`)}, `PUT /api/v1/broadcasts/brd_1/recipients application/x-ndjson {"id":"u1"}`},
		"an exclusion":   {[]string{"broadcast", "upload", "brd_1", csv, "--exclude=brd_0", "--skip-bad-rows"}, "PUT /api/v1/broadcasts/brd_1/recipients?exclude=broadcast%3Abrd_0&skip_bad_rows=true text/csv id\nu1\n"},
		"an audience":    {[]string{"broadcast", "upload", "brd_1", "--audience=aud_1", "--exclude=broadcast:brd_0"}, `POST /api/v1/broadcasts/brd_1/recipients/from-audience application/json {"audience":"aud_1","dry_run":false,"exclude":"broadcast:brd_0","skip_bad_rows":false}`},
		"to an audience": {[]string{"audience", "upload", "aud_1", csv}, "PUT /api/v1/audiences/aud_1/recipients text/csv id\nu1\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			came := uploads(t, `{"audience":1200,"duplicates":3,"excluded":4,"bad_rows":0}`)
			got := malgil(t, tt.args...)
			if call := came(); got.code != exitOK || call != tt.want {
				t.Errorf("%q = exit %d %s, calls %q, want %q", tt.args, got.code, got.stderr, call, tt.want)
			}
			for _, want := range []string{"people       1,200", "named twice  3", "excluded     4"} {
				if !strings.Contains(got.stdout, want) {
					t.Errorf("%q prints %q, want %q", tt.args, got.stdout, want)
				}
			}
		})
	}
}

// A dry run is the server's: it shows counts and problems, and is an error where the file would be refused.
func TestBroadcastUpload_dryRun(t *testing.T) {
	bad := file(t, "people.csv", "id\n\"\"\nu1\n")
	const answer = `{"dry_run":true,"audience":1,"duplicates":1,"bad_rows":1,"problems":[{"line":2,"column":"id","message":"is empty"}],"dropped":[{"line":4,"column":"id","message":"is named before"}]}`
	for _, skip := range []bool{false, true} {
		came := uploads(t, answer)
		args := []string{"broadcast", "upload", "brd_1", bad, "--dry-run"}
		code, want := exitFailed, "PUT /api/v1/broadcasts/brd_1/recipients?dry_run=true text/csv id\n\"\"\nu1\n"
		if skip {
			args, code = append(args, "--skip-bad-rows"), exitOK
			want = strings.Replace(want, "dry_run=true", "dry_run=true&skip_bad_rows=true", 1)
		}
		got := malgil(t, args...)
		if call := came(); got.code != code || call != want {
			t.Errorf("%q = exit %d, calls %q, want %d and %q", args, got.code, call, code, want)
		}
		for _, want := range []string{"bad rows     1", "line 2, id: is empty", "line 4, id: is named before"} {
			if !strings.Contains(got.stdout, want) {
				t.Errorf("%q prints %q, want %q", args, got.stdout, want)
			}
		}
		if strings.Contains(got.stdout, "nothing was stored") != skip || strings.Contains(got.stderr, "--skip-bad-rows") == skip {
			t.Errorf("%q says %q and %q", args, got.stdout, got.stderr)
		}
	}
}

func TestBroadcastUpload_refuses(t *testing.T) {
	csv := file(t, "people.csv", "id\nu1\n")
	xls := filepath.Join(t.TempDir(), "people.xls")
	if err := os.WriteFile(xls, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		args []string
		says string
	}{
		"another suffix":     {[]string{"broadcast", "upload", "brd_1", xls}, ".csv, .xlsx or .ndjson"},
		"neither":            {[]string{"broadcast", "upload", "brd_1"}, "give one of them"},
		"both":               {[]string{"broadcast", "upload", "brd_1", csv, "--audience=aud_1"}, "give one of them"},
		"neither to send":    {[]string{"broadcast", "send", "--bot=b", "--event=e"}, "give one of them"},
		"a map of nothing":   {[]string{"broadcast", "upload", "brd_1", csv, "--map=phone:a"}, "id, type and properties"},
		"a map of no column": {[]string{"audience", "upload", "aud_1", csv, "--map=id:phone"}, "which the file does not have"},
	} {
		came := uploads(t, `{}`)
		if got := malgil(t, tt.args...); got.code != exitUsage || !strings.Contains(got.stderr, tt.says) || came() != "" {
			t.Errorf("%s: exit %d, %q, want %d and %q before anything is sent", name, got.code, got.stderr, exitUsage, tt.says)
		}
	}
}
