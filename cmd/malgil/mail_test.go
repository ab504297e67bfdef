package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/notice"
)

// A preview holds every case, and its index leads to files that are there.
func TestMailPreview(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "made", "for it")
	said := ok(t, "mail", "preview", "--out", folder)
	index, err := os.ReadFile(filepath.Join(folder, "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said, filepath.Join(folder, "index.html")) {
		t.Errorf("preview says %q, want where to look", said)
	}
	seen := map[string]bool{"index.html": true}
	for _, link := range regexp.MustCompile(`(?:href|src)="([^"#]+)"`).FindAllStringSubmatch(string(index), -1) {
		seen[link[1]] = true
		if info, err := os.Stat(filepath.Join(folder, link[1])); err != nil || info.Size() == 0 {
			t.Errorf("the index leads to %s, which is not there or empty: %v", link[1], err)
		}
	}
	files, err := os.ReadDir(folder)
	if err != nil || len(files) != len(seen) {
		t.Errorf("the folder holds %d files, the index leads to %d, %v", len(files), len(seen), err)
	}
	for _, c := range notice.Cases() {
		if !strings.Contains(string(index), "<h2>"+c.Korean()+"</h2>") || !seen[string(c)+".html"] || !seen[string(c)+".txt"] {
			t.Errorf("the preview lacks %s", c)
		}
	}
	for _, name := range []string{"invoice.html", "invoice.pdf", "invoice_amended.pdf"} {
		if !seen[name] {
			t.Errorf("the preview lacks %s", name)
		}
	}
	if got := malgil(t, "mail", "preview", "--out", filepath.Join(folder, "index.html")); got.code == 0 || !strings.Contains(got.stderr, "folder of the previews") {
		t.Errorf("a preview into a file = exit %d, %q, want it refused", got.code, got.stderr)
	}
}
