package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/malgil/malgil/internal/clock"
)

// statements plays the statement of a wallet that has paid for a broadcast this month, by the time of
// a program whose clock may be ahead of this one.
func statements(t *testing.T, wallet, broadcast string) {
	t.Helper()
	var days struct{ Items []dayRow }
	if err := json.Unmarshal([]byte(ok(t, "wallet", "days", wallet, "--json")), &days); err != nil || len(days.Items) == 0 {
		t.Fatalf("wallet days --json = %+v, %v, want days", days, err)
	}
	month := days.Items[len(days.Items)-1].Day[:len("2026-11")]
	if shown := ok(t, "wallet", "statement", wallet, "--month", month); !strings.Contains(shown, "to invoice") || !strings.Contains(shown, "so far") {
		t.Errorf("wallet statement = %s, want what is to be invoiced, and today", shown)
	}
	if text := ok(t, "wallet", "statement", wallet, "--month", month, "--out", "-"); !strings.HasPrefix(text, "\ufeff") || !strings.Contains(text, broadcast) {
		t.Errorf("wallet statement --out - = %s, want CSV with the broadcast", text)
	}
	path := filepath.Join(t.TempDir(), "month.xlsx")
	ok(t, "wallet", "statement", wallet, "--month", month, "--out", path)
	book, err := excelize.OpenFile(path)
	if err != nil {
		t.Fatalf("%s is no workbook: %v", path, err)
	}
	if err := book.Close(); err != nil {
		t.Error(err)
	}
	again := malgil(t, "wallet", "statement", wallet, "--month", month, "--out", path)
	if again.code != exitUsage || !strings.Contains(again.stderr, "--force") {
		t.Errorf("wallet statement onto a file = exit %d, %q, want 2 and how to overwrite it", again.code, again.stderr)
	}
	ok(t, "wallet", "statement", wallet, "--month", month, "--out", path, "--force")
	if got := malgil(t, "wallet", "statement", wallet, "--month", month, "--out", path+".pdf"); got.code != exitUsage || !strings.Contains(got.stderr, ".xlsx, .csv or .json") {
		t.Errorf("wallet statement --out a .pdf = exit %d, %q, want 2 and which there are", got.code, got.stderr)
	}
	future := time.Now().In(clock.Seoul).AddDate(1, 0, 0).Format("2006-01")
	none := filepath.Join(t.TempDir(), "none.csv")
	got := malgil(t, "wallet", "statement", wallet, "--month", future, "--out", none)
	if left, err := os.ReadDir(filepath.Dir(none)); got.code != exitFailed || !strings.Contains(got.stderr, "has not begun") || err != nil || len(left) > 0 {
		t.Errorf("wallet statement of a month to come = exit %d, %q, leaves %v, %v; want 1, why, and no file", got.code, got.stderr, left, err)
	}
}

func TestWriteFile(t *testing.T) {
	broken := errors.New("the connection is gone")
	text := func(words string, err error) func(io.Writer) error {
		return func(w io.Writer) error {
			_, _ = io.WriteString(w, words)
			return err
		}
	}
	path := filepath.Join(t.TempDir(), "month.csv")
	for _, step := range []struct {
		name    string
		force   bool
		write   func(io.Writer) error
		wantErr bool
		want    string
	}{
		{"broken off", false, text("half", broken), true, ""},
		{"new", false, text("first", nil), false, "first"},
		{"there already", false, text("second", nil), true, "first"},
		{"overwritten, and broken off", true, text("half", broken), true, "first"},
		{"overwritten", true, text("third", nil), false, "third"},
	} {
		err := writeFile(path, step.force, step.write)
		got, _ := os.ReadFile(path) // nothing when there is none
		left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".malgil-*"))
		if (err != nil) != step.wantErr || string(got) != step.want || len(left) > 0 {
			t.Errorf("%s: writeFile() = %v, the file holds %q, beside it are %v; want an error: %v, %q, nothing", step.name, err, got, left, step.wantErr, step.want)
		}
	}
	came := func(w io.Writer) error {
		other := filepath.Join(filepath.Dir(path), "other.csv")
		return errors.Join(os.WriteFile(other, []byte("theirs"), 0o600), text("ours", nil)(w))
	}
	other := filepath.Join(filepath.Dir(path), "other.csv")
	err := writeFile(other, false, came)
	if got, _ := os.ReadFile(other); err == nil || !bytes.Equal(got, []byte("theirs")) {
		t.Errorf("writeFile() onto a file that came meanwhile = %v, it holds %q, want it as it was", err, got)
	}
}

func TestSpark(t *testing.T) {
	for want, amounts := range map[string][]int64{"": nil, "▁": {0}, "▁▄█": {0, 50, 100}, "▁█": {-5, 1}} {
		if got := spark(amounts); got != want {
			t.Errorf("spark(%v) = %q, want %q", amounts, got, want)
		}
	}
}
