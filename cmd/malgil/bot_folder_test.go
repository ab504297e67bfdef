package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A folder is written, found good, broken, and found bad, all without a server.
func TestBotFolder(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "bookshop")
	if got := malgil(t, "bot", "init", folder); got.code != exitOK {
		t.Fatalf("bot init = %d, %s", got.code, got.stderr)
	}
	if got := malgil(t, "bot", "check", folder); got.code != exitOK || got.stderr != "" ||
		got.stdout != "한빛서점 도우미 (66a1f0c2d4b7e83f5a9c1d20): 8 blocks, 34 knowledge items, 1 skill server; nothing is wrong\n" {
		t.Errorf("bot check = %d, %q, %q", got.code, got.stdout, got.stderr)
	}
	if got := malgil(t, "bot", "init", folder); got.code != exitUsage || !strings.Contains(got.stderr, "is not empty") {
		t.Errorf("bot init again = %d, %q, want it refused", got.code, got.stderr)
	}
	broken := "id: stock\nname: 재고 확인\nwebhook: {server: shap}\nanswr: 네\n"
	if err := os.WriteFile(filepath.Join(folder, "blocks", "stock.yaml"), []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	got := malgil(t, "bot", "check", folder)
	want := `blocks/stock.yaml:3:19: webhook.server names "shap", which is none of the servers of the bot
blocks/stock.yaml:4:1: answr is no field here; there are id, name, kind, says, event, callback, delay_ms, asks, answer, webhook, handoff, context, data
`
	if got.code != exitFailed || got.stdout != want || got.stderr != "malgil: 2 problems\n" {
		t.Errorf("bot check = %d, %q, %q, want %d, %q", got.code, got.stdout, got.stderr, exitFailed, want)
	}
	got = malgil(t, "bot", "check", folder, "--json")
	var told struct {
		OK       bool
		Blocks   int
		Problems []checkedProblem
	}
	if err := json.Unmarshal([]byte(got.stdout), &told); err != nil || got.code != exitFailed || told.OK || told.Blocks != 8 || len(told.Problems) != 2 ||
		told.Problems[1].File != "blocks/stock.yaml" || told.Problems[1].Line != 4 || told.Problems[1].Path != "answr" {
		t.Errorf("bot check --json = %d, %+v, %v", got.code, told, err)
	}
	if got := malgil(t, "bot", "check", filepath.Join(folder, "none")); got.code != exitUsage || !strings.Contains(got.stderr, "folder cannot be opened") {
		t.Errorf("bot check of nothing = %d, %q", got.code, got.stderr)
	}
}

func TestBotCheck_privateHost(t *testing.T) {
	folder := t.TempDir()
	text := "id: b1\nname: a\nservers: [{name: shop, url: 'http://skill.corp.example/x'}]\n"
	if err := os.WriteFile(filepath.Join(folder, "bot.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := malgil(t, "bot", "check", folder); got.code != exitFailed {
		t.Errorf("bot check = %d, %q, want http refused", got.code, got.stdout)
	}
	if got := malgil(t, "bot", "check", folder, "--private-host", ".corp.example"); got.code != exitOK {
		t.Errorf("bot check --private-host = %d, %q, want http taken", got.code, got.stdout)
	}
}

func TestBotCheck_loopback(t *testing.T) {
	folder := t.TempDir()
	text := "id: b1\nname: a\nservers: [{name: shop, url: 'http://127.0.0.1:9/x'}]\n"
	if err := os.WriteFile(filepath.Join(folder, "bot.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := malgil(t, "bot", "check", folder); got.code != exitFailed || !strings.HasPrefix(got.stdout, "bot.yaml:3:29: servers[0].url must be an https address") {
		t.Errorf("bot check = %d, %q, want http refused", got.code, got.stdout)
	}
	if got := malgil(t, "bot", "check", folder, "--loopback"); got.code != exitOK {
		t.Errorf("bot check --loopback = %d, %q, want http taken", got.code, got.stdout)
	}
}
