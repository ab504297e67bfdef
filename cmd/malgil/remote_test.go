package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/malgil/malgil/internal/app"
	"github.com/malgil/malgil/internal/demo"
)

// said is what one command printed and how it ended.
type said struct {
	stdout, stderr string
	code           int
}

func malgil(t *testing.T, args ...string) said {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, &stdout, &stderr)
	return said{stdout.String(), stderr.String(), code}
}

// ok is malgil for a command that must succeed; it returns what it printed.
func ok(t *testing.T, args ...string) string {
	t.Helper()
	got := malgil(t, args...)
	if got.code != exitOK {
		t.Fatalf("malgil %s = exit %d, %s%s", strings.Join(args, " "), got.code, got.stdout, got.stderr)
	}
	return got.stdout
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// first returns the first word of the line that holds a text.
func first(t *testing.T, text, holding string) string {
	t.Helper()
	for line := range strings.Lines(text) {
		if strings.Contains(line, holding) {
			return strings.Fields(line)[0]
		}
	}
	t.Fatalf("no line of %q holds %q", text, holding)
	return ""
}

// defaults is the configuration of a program that is told nothing.
func defaults(t *testing.T) app.Config {
	t.Helper()
	var c struct {
		app.Config `embed:""`
	}
	parser, err := kong.New(&c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(nil); err != nil {
		t.Fatal(err)
	}
	return c.Config
}

// wholeProgram starts everything with the sandbox, and leads the commands of this test to it.
func wholeProgram(t *testing.T) *demo.Demo {
	t.Helper()
	config := defaults(t)
	config.Listen = demo.Anywhere
	d, err := demo.Start(t.Context(), config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("Close() error = %v", err)
		}
	})
	t.Setenv("MALGIL_URL", d.Ready.Intake)
	t.Setenv("MALGIL_TOKEN", d.Ready.APIToken)
	return d
}

// The commands are played against a whole program with the sandbox, as an operator would.
func TestCommands(t *testing.T) {
	d := wholeProgram(t)
	t.Setenv("MALGIL_BOT_REST_API_KEY", "4f1c9a7e5b3d2f60")

	// A shop of one's own.
	master := strings.TrimSpace(ok(t, "account", "create", "박새벽", "dawn@shop.example"))
	if again := malgil(t, "account", "create", "박새벽", "dawn@shop.example"); again.code != exitFailed || !strings.Contains(again.stderr, "belongs to another account") {
		t.Errorf("a second account of one address = exit %d, %q, want 1 and why", again.code, again.stderr)
	}
	worker := strings.TrimSpace(ok(t, "account", "create", "최노을", "dusk@shop.example"))
	wallet := strings.TrimSpace(ok(t, "wallet", "create", "새벽서점", "--master", master, "--business-number", "999-81-00015", "--invoice-email", "tax@shop.example"))
	if got := ok(t, "account", "change", worker, "--email", "evening@shop.example"); !strings.Contains(got, "최노을 evening@shop.example") {
		t.Errorf("account change = %q, want the new address", got)
	}
	if taken := malgil(t, "account", "change", worker, "--email", "DAWN@shop.example"); taken.code != exitFailed || !strings.Contains(taken.stderr, "belongs to another account") {
		t.Errorf("an address that is another's = exit %d, %q, want 1 and why", taken.code, taken.stderr)
	}
	ok(t, "wallet", "member", wallet, worker)
	ok(t, "wallet", "member", wallet, worker, "--remove")
	if shown := ok(t, "wallet", "show", wallet); !strings.Contains(shown, "박새벽") || strings.Contains(shown, "최노을") {
		t.Errorf("wallet show = %s, want the master alone", shown)
	}
	if url := ok(t, "bot", "create", "77b2f0", "새벽서점 도우미", "--wallet", wallet, "--master", master); !strings.Contains(url, "/skill/77b2f0/") {
		t.Errorf("bot create = %q, want its skill URL", url)
	}
	if got := ok(t, "bot", "member", "77b2f0", worker, "--role", "operator"); !strings.Contains(got, "operator") || !strings.Contains(got, master) {
		t.Errorf("bot member = %s, want the operator beside the master", got)
	}
	if got := ok(t, "bot", "member", "77b2f0", worker, "--remove"); strings.Contains(got, worker) || !strings.Contains(got, master) {
		t.Errorf("bot member --remove = %s, want the master alone", got)
	}
	if got := malgil(t, "bot", "member", "77b2f0", worker, "--remove"); got.code != exitFailed || !strings.Contains(got.stderr, "has no role") {
		t.Errorf("bot member --remove again = exit %d, %q, want 1 and why", got.code, got.stderr)
	}
	if got := ok(t, "wallet", "reconnect", wallet, "--dry-run"); !strings.Contains(got, "ACTIVE already; nothing was done") {
		t.Errorf("reconnect --dry-run = %q, want that there is nothing to do", got)
	}
	ok(t, "bot", "channel", "77b2f0", "live", "새벽서점")
	content := func(text string) string {
		return file(t, "content.json", `{"blocks":[{"id":"b1","name":"재입고","kind":"normal","event":"restock_alert","answer":{"outputs":[{"simpleText":{"text":"`+text+`"}}]}}]}`)
	}
	opening := content("들어왔어요")
	if got := ok(t, "bot", "import", opening, "--bot", "77b2f0", "--dry-run", "--deploy"); !strings.Contains(got, "would be version 1") || !strings.Contains(got, "would be live") {
		t.Errorf("bot import --dry-run = %q, want what would be", got)
	}
	if got := ok(t, "bot", "import", opening, "--bot", "77b2f0", "--deploy", "--note", "개업"); !strings.Contains(got, "version 1 of bot 77b2f0: 1 blocks, 0 knowledge items\nlive") {
		t.Errorf("bot import --deploy = %q, want version 1, live", got)
	}
	if got := ok(t, "bot", "import", opening, "--bot", "77b2f0"); !strings.Contains(got, "is already version 1") {
		t.Errorf("the same imported again = %q, want that it is there", got)
	}
	ok(t, "bot", "import", content("다시 들어왔어요"), "--bot", "77b2f0")
	if got := ok(t, "bot", "diff", "77b2f0"); got != "from version 1 to version 2\n~ block b1 재입고: answer\n" {
		t.Errorf("bot diff = %q, want the answer that changed", got)
	}
	if got := ok(t, "bot", "deploy", "77b2f0", "--dry-run"); !strings.Contains(got, "~ block b1") {
		t.Errorf("bot deploy --dry-run = %q, want the difference", got)
	}
	if got := ok(t, "bot", "deploy", "77b2f0", "--reason", "겨울 답변"); !strings.Contains(got, "version 2 is live since") {
		t.Errorf("bot deploy = %q, want version 2 live", got)
	}
	if got := malgil(t, "bot", "rollback", "77b2f0", "--from", "1"); got.code != exitFailed || !strings.Contains(got.stderr, "version 1 is not live") {
		t.Errorf("bot rollback from what is not live = exit %d, %q, want 1 and why", got.code, got.stderr)
	}
	if got := ok(t, "bot", "rollback", "77b2f0"); !strings.Contains(got, "version 1 is live again") {
		t.Errorf("bot rollback = %q, want version 1 live", got)
	}
	if got := ok(t, "bot", "versions", "77b2f0"); !strings.Contains(got, "development") || !strings.Contains(got, "live") || !strings.Contains(got, "개업") {
		t.Errorf("bot versions = %s, want which runs where", got)
	}
	if got := ok(t, "bot", "deploys", "77b2f0"); !strings.Contains(got, "rolled back") || !strings.Contains(got, "겨울 답변") {
		t.Errorf("bot deploys = %s, want the three", got)
	}
	if got := ok(t, "bot", "blocks", "77b2f0", "--side", "live"); !strings.Contains(got, "restock_alert") {
		t.Errorf("bot blocks = %s, want the block with its event", got)
	}
	folder := filepath.Join(t.TempDir(), "shop")
	ok(t, "bot", "init", folder)
	if got := malgil(t, "bot", "import", folder, "--bot", "77b2f0", "--dry-run"); got.code == exitOK || !strings.Contains(got.stderr, "--bot is 77b2f0, but the folder is of bot 66a1f0c2d4b7e83f5a9c1d20") {
		t.Errorf("bot import of another bot's folder = exit %d, %q, want which is which", got.code, got.stderr)
	}
	about := filepath.Join(folder, "bot.yaml")
	text, err := os.ReadFile(about)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(about, bytes.ReplaceAll(text, []byte("66a1f0c2d4b7e83f5a9c1d20"), []byte("77b2f0")), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := ok(t, "bot", "import", folder, "--bot", "77b2f0", "--dry-run"); !strings.Contains(got, "would be version 3") {
		t.Errorf("bot import of a folder = %q, want what would be", got)
	}
	if err := os.WriteFile(filepath.Join(folder, "blocks", "99-bad.yaml"), []byte("id: bad\nkind: nothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := malgil(t, "bot", "import", folder, "--bot", "77b2f0"); got.code == exitOK || !strings.Contains(got.stderr, "blocks/99-bad.yaml:2:") {
		t.Errorf("bot import of a bad folder = exit %d, %q, want the file and line", got.code, got.stderr)
	}
	if shown := ok(t, "bot", "change", "77b2f0", "--minimum-accuracy", "90"); !strings.Contains(shown, "minimum accuracy 90, choose within 3") || !strings.Contains(shown, "2 is the newest, with 1 blocks; 1 is live") {
		t.Errorf("bot change --minimum-accuracy 90 = %s", shown)
	}
	if shown := ok(t, "bot", "change", "77b2f0", "--rate", "100"); !strings.Contains(shown, "100 people/s") {
		t.Errorf("bot change --rate 100 = %s", shown)
	}
	t.Setenv("MALGIL_BOT_REST_API_KEY", "")
	if got := malgil(t, "bot", "change", "77b2f0"); got.code != exitUsage || !strings.Contains(got.stderr, "nothing to change") {
		t.Errorf("bot change of nothing = exit %d, %q, want 2 and what to give", got.code, got.stderr)
	}

	// A token that may only read.
	reader := strings.TrimSpace(ok(t, "token", "create", "화면", "--scopes", "read", "--expires-at", "2099-01-01T00:00:00+09:00"))
	if got := malgil(t, "wallet", "reconnect", wallet, "--token", reader); got.code != exitFailed || !strings.Contains(got.stderr, `lacks the scope "billing"`) {
		t.Errorf("reconnect with a token that reads = exit %d, %q, want 1 and what it lacks", got.code, got.stderr)
	}
	ok(t, "wallet", "list", "--token", reader)
	ok(t, "token", "revoke", first(t, ok(t, "token", "list"), "화면"))
	if got := malgil(t, "wallet", "list", "--token", reader); got.code != exitFailed || !strings.Contains(got.stderr, "revoked") {
		t.Errorf("a revoked token = exit %d, %q, want 1 and why", got.code, got.stderr)
	}

	// A token of a person does what he may, and the audit log tells.
	ok(t, "account", "admin", worker, "--reason", "당직")
	ok(t, "account", "admin", worker, "--end")
	ok(t, "wallet", "member", wallet, worker, "--role", "viewer")
	looks := strings.TrimSpace(ok(t, "token", "create", "보기", "--account", worker))
	ok(t, "wallet", "show", wallet, "--token", looks)
	if got := malgil(t, "wallet", "topup", wallet, "5000", "--token", looks); got.code != exitFailed || !strings.Contains(got.stderr, `lacks the permission "top_up"`) {
		t.Errorf("topup by a viewer = exit %d, %q, want 1 and what he lacks", got.code, got.stderr)
	}
	if listed := ok(t, "account", "list", "--token", looks); strings.Contains(listed, "박새벽") || !strings.Contains(listed, "최노을") {
		t.Errorf("accounts that a viewer lists = %s, want himself alone", listed)
	}
	if log := ok(t, "audit", "list", "--action", "make-admin"); !strings.Contains(log, worker) || !strings.Contains(log, "당직") || !strings.Contains(log, `{"admin":true}`) {
		t.Errorf("audit list = %s, want who was made admin, and why", log)
	}
	if log := ok(t, "audit", "list", "--action", "create-token"); !strings.Contains(log, "at the terminal") || !strings.Contains(log, "보기") {
		t.Errorf("audit list = %s, want the first token and the one of a person", log)
	}
	if report := ok(t, "audit", "verify"); !strings.Contains(report, "entries hold") {
		t.Errorf("audit verify = %s, want that it holds", report)
	}

	// Channels and cards.
	if shown := ok(t, "bot", "channel", "77b2f0", "live", "--disconnect"); !strings.Contains(shown, "disconnected by operator") {
		t.Errorf("bot channel --disconnect = %q", shown)
	}
	if got := ok(t, "bot", "app", "1043277", "새벽서점", "--verified", "--kakao-sync"); strings.TrimSpace(got) != "1043277" {
		t.Errorf("bot app = %q, want its id", got)
	}
	if shown := ok(t, "bot", "channel", "77b2f0", "live", "--connect", "--verified", "--no-deployed", "--app", "1043277"); !strings.Contains(shown, "live 새벽서점 connected verified app 1043277") {
		t.Errorf("bot channel --connect --verified --app = %q", shown)
	}
	if listed := ok(t, "bot", "apps"); !strings.Contains(listed, "1043277") || strings.Count(listed, "yes") != 2 {
		t.Errorf("bot apps = %s, want one with both", listed)
	}
	if begun := ok(t, "card", "add", master, "--key", "card-1"); !strings.Contains(begun, "on a computer") {
		t.Errorf("card add = %s, want where to send the payer", begun)
	}
	seeded := ok(t, "card", "list", "--wallet", d.Ready.Wallet)
	card := func(listed, role string) string { // the one in a role
		t.Helper()
		first(t, listed, role)
		return strings.Fields(listed[strings.Index(listed, role):])[1]
	}
	cards := []string{card(seeded, "payment"), card(seeded, "backup_1"), card(seeded, "backup_2")}
	if ordered := ok(t, "card", "order", d.Ready.Wallet, cards[2], cards[0], cards[1]); card(ordered, "payment") != cards[2] {
		t.Errorf("card order = %s, want %s first", ordered, cards[2])
	}
	if got := malgil(t, "card", "order", d.Ready.Wallet, cards[2], cards[0]); got.code != exitUsage || !strings.Contains(got.stderr, cards[1]) {
		t.Errorf("card order without one = exit %d, %q, want 2 and the one that is missing", got.code, got.stderr)
	}
	ok(t, "card", "take", d.Ready.Wallet, cards[1])
	if put := ok(t, "card", "put", d.Ready.Wallet, cards[1]); card(put, "backup_2") != cards[1] {
		t.Errorf("card put on cards in an order of one's own = %s, want it last", put)
	}
	if got := strings.TrimSpace(ok(t, "card", "status", cards[0])); got != "usable" {
		t.Errorf("card status = %q, want usable", got)
	}
	if got := malgil(t, "card", "list"); got.code != exitUsage {
		t.Errorf("card list of nobody = exit %d, want 2", got.code)
	}
	if listed := ok(t, "wallet", "review"); strings.Contains(listed, "chg_") {
		t.Errorf("wallet review = %s, want none", listed)
	}
	if got := malgil(t, "wallet", "review", "chg_none", "--paid", "--tid", "T1", "--reason", "r"); got.code != exitFailed || !strings.Contains(got.stderr, "no charge") {
		t.Errorf("wallet review of a charge that is not = exit %d, %q, want 1 and why", got.code, got.stderr)
	}
	if got := malgil(t, "wallet", "review", "chg_none", "--reason", "r"); got.code != exitUsage || !strings.Contains(got.stderr, "--not-charged") {
		t.Errorf("wallet review without a finding = exit %d, %q, want 2 and what to say", got.code, got.stderr)
	}

	// Money.
	if dry := ok(t, "wallet", "topup", wallet, "100000", "--dry-run"); !strings.Contains(dry, "by card with 100,000 KRW") || !strings.Contains(dry, "110,000 KRW to pay; nothing was done") {
		t.Errorf("wallet topup --dry-run = %q", dry)
	}
	begun := ok(t, "wallet", "topup", wallet, "100000", "--key", "order-1")
	if again := ok(t, "wallet", "topup", wallet, "100000", "--key", "order-1"); again != begun || !strings.Contains(begun, "110,000 KRW") {
		t.Errorf("wallet topup repeated = %q, want %q", again, begun)
	}
	if got := malgil(t, "wallet", "topup", wallet, "5000", "--key", "order-1"); got.code != exitFailed || !strings.Contains(got.stderr, "another request") {
		t.Errorf("the key of another order = exit %d, %q, want 1 and why", got.code, got.stderr)
	}

	transfer := ok(t, "wallet", "topup", wallet, "30000", "--method", "bank", "--key", "order-2")
	if !strings.Contains(transfer, "33,000 KRW") || !strings.Contains(transfer, "모래은행") || !strings.Contains(transfer, "(주)카카오") {
		t.Errorf("wallet topup --method bank = %s, want what to transfer, and where to", transfer)
	}
	if err := d.Transfer(t.Context(), wallet, 30_000); err != nil {
		t.Fatal(err)
	}
	ok(t, "wallet", "representative", wallet, "박새벽")
	if got := malgil(t, "wallet", "refund", wallet, "1005", "--dry-run"); got.code != exitFailed || !strings.Contains(got.stderr, "refund account") {
		t.Errorf("wallet refund without a refund account = exit %d, %q, want 1 and what to do", got.code, got.stderr)
	}
	if set := ok(t, "wallet", "refund-account", wallet, "--bank", "한빛은행", "--number", "110-222-345678", "--holder", "박새벽"); !strings.Contains(set, "********5678") {
		t.Errorf("wallet refund-account = %q, want the number masked", set)
	}
	if dry := ok(t, "wallet", "refund", wallet, "1005", "--dry-run"); !strings.Contains(dry, "nothing was done") || !strings.Contains(dry, "bank") || !strings.Contains(dry, "1,106 KRW") {
		t.Errorf("wallet refund --dry-run = %s, want the top-up and 1,106 KRW with VAT", dry)
	}
	if listed := ok(t, "wallet", "refunds", wallet); strings.Contains(listed, "rfd_") {
		t.Errorf("a dry run opened a refund: %s", listed)
	}
	refunded := ok(t, "wallet", "refund", wallet, "1005", "--key", "refund-1")
	if again := ok(t, "wallet", "refund", wallet, "1005", "--key", "refund-1"); first(t, again, "refund") != "refund" || !strings.Contains(again, "1,106 KRW") {
		t.Errorf("wallet refund repeated = %s, want %s", again, refunded)
	}
	if listed := ok(t, "wallet", "refunds", wallet); strings.Count(listed, "rfd_") != 1 {
		t.Errorf("wallet refunds = %s, want one", listed)
	}
	if got := malgil(t, "wallet", "settle-refund", wallet, "rfd_none"); got.code != exitUsage {
		t.Errorf("wallet settle-refund without a word = exit %d, want 2", got.code)
	}

	// A broadcast of the demo's bot, which can pay.
	people := file(t, "people.csv", "type,id\nbotUserKey,reader-1\nbotUserKey,reader-2\nbotUserKey,reader-2\nbotUserKey,stranger-1\n")
	send := []string{"broadcast", "send", people, "--bot", d.Ready.Bot, "--event", d.Ready.Event, "--data", "title=겨울 바다", "--name", "시험"}
	if dry := ok(t, append(send, "--dry-run")...); !strings.Contains(dry, "enough") || !strings.Contains(dry, "nothing was sent") || first(t, dry, "people") != "people" || !strings.Contains(dry, "people     3") {
		t.Errorf("broadcast send --dry-run = %s, want a quote for three", dry)
	}
	if list := ok(t, "broadcast", "list"); strings.Contains(list, "시험") {
		t.Errorf("a dry run ordered something: %s", list)
	}
	watched := malgil(t, append(send, "--watch")...)
	if watched.code != exitPartly || !strings.Contains(watched.stdout, "finished") || !strings.Contains(watched.stderr, "1 of 3 people did not get it") {
		t.Errorf("broadcast send --watch = exit %d, %s%s, want 3: one is not a friend", watched.code, watched.stdout, watched.stderr)
	}
	id := first(t, ok(t, "broadcast", "list"), "시험")
	if failures := ok(t, "broadcast", "failures", id); !strings.Contains(failures, "stranger-1") || strings.Contains(failures, "reader-1") {
		t.Errorf("broadcast failures = %s, want the stranger alone", failures)
	}
	if chunks := ok(t, "broadcast", "chunks", id, "--state", "settled"); first(t, chunks, "settled") != id+"-000001" {
		t.Errorf("broadcast chunks = %s, want one settled", chunks)
	}
	if postings := ok(t, "wallet", "postings", d.Ready.Wallet); !strings.Contains(postings, id+"-000001") {
		t.Errorf("wallet postings = %s, want the capture", postings)
	}
	if past := ok(t, "wallet", "history", d.Ready.Wallet, "--kind", "consumption"); !strings.Contains(past, "capture") || strings.Contains(past, "topup") {
		t.Errorf("wallet history --kind consumption = %s, want captures alone", past)
	}
	if days := ok(t, "wallet", "days", d.Ready.Wallet); !strings.Contains(days, "so far") || strings.Contains(days, "▁") {
		t.Errorf("wallet days = %s, want today, and no picture for a program", days)
	}
	statements(t, d.Ready.Wallet, id)
	var shown map[string]any
	if err := json.Unmarshal([]byte(ok(t, "broadcast", "show", id, "--json")), &shown); err != nil || shown["state"] != "finished" {
		t.Errorf("broadcast show --json = %v, %v, want the API's answer", shown, err)
	}
	bad := malgil(t, "broadcast", "send", file(t, "bad.csv", "type,id\nbotUserKey,\nphone,1\n"), "--bot", d.Ready.Bot, "--event", d.Ready.Event)
	if bad.code != exitFailed || !strings.Contains(bad.stderr, "line 2, id: is empty") || !strings.Contains(bad.stderr, "line 3, type: must be") {
		t.Errorf("a bad file = exit %d, %q, want 1 and every bad line", bad.code, bad.stderr)
	}
	for _, args := range [][]string{{"wallet", "list"}, {"wallet", "charges", d.Ready.Wallet}, {"wallet", "cards", d.Ready.Wallet}, {"bot", "list"}, {"account", "list"}, {"wallet", "quote", "100"}} {
		if text := ok(t, args...); text == "" {
			t.Errorf("malgil %s prints nothing", strings.Join(args, " "))
		}
	}
	if got := malgil(t, "wallet", "show", "none"); got.code != exitFailed || !strings.Contains(got.stderr, `there is no wallet "none"`) {
		t.Errorf("wallet show none = exit %d, %q, want 1 and why", got.code, got.stderr)
	}
}

func TestCommands_withoutAToken(t *testing.T) {
	t.Setenv("MALGIL_TOKEN", "")
	for _, args := range [][]string{{"wallet", "list"}, {"bot", "show", "b"}, {"broadcast", "watch", "b"}} {
		if got := malgil(t, args...); got.code != exitUsage || !strings.Contains(got.stderr, "MALGIL_TOKEN is missing") {
			t.Errorf("malgil %s = exit %d, %q, want 2 and what is missing", strings.Join(args, " "), got.code, got.stderr)
		}
	}
}

// A call whose answer was lost tells the key to repeat it with.
func TestTopup_cutShort(t *testing.T) {
	keys := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys <- r.Header.Get("Idempotency-Key")
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	t.Setenv("MALGIL_URL", server.URL)
	t.Setenv("MALGIL_TOKEN", "mlg_x")
	got := malgil(t, "wallet", "topup", "wal_1", "5000")
	if key := <-keys; key == "" || got.code != exitFailed || !strings.Contains(got.stderr, "repeat the command with --key "+key) {
		t.Errorf("wallet topup = exit %d, %q after key %q, want the key to repeat it with", got.code, got.stderr, key)
	}
}

// A log that does not hold ends the command as a failure, with the first entry that is wrong.
func TestAuditVerify_broken(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"holds":false,"entries":6,"head":"00","broken":7,"why":"it is missing"}`)
	}))
	defer server.Close()
	t.Setenv("MALGIL_URL", server.URL)
	t.Setenv("MALGIL_TOKEN", "mlg_x")
	for _, args := range [][]string{{"audit", "verify"}, {"audit", "verify", "--json"}} {
		got := malgil(t, args...)
		if got.code != exitFailed || !strings.Contains(got.stderr, "entry 7 does not hold: it is missing") {
			t.Errorf("%v = exit %d, %q, want 1 and entry 7", args, got.code, got.stderr)
		}
	}
}

func TestColumns_countKoreanTwice(t *testing.T) {
	var out bytes.Buffer
	if err := table(&out, []string{"NAME", "STATE"}, [][]string{{"한빛서점", "in_use"}, {"shop", ""}}); err != nil {
		t.Fatal(err)
	}
	if want := "NAME      STATE\n한빛서점  in_use\nshop\n"; out.String() != want {
		t.Errorf("table() = %q, want %q", out.String(), want)
	}
}

func TestWon(t *testing.T) {
	for amount, want := range map[int64]string{0: "0", 15: "15", 999: "999", 1000: "1,000", 110000: "110,000", 10000000: "10,000,000", -1500: "-1,500", -150: "-150", -150000: "-150,000"} {
		if got := won(amount); got != want {
			t.Errorf("won(%d) = %q, want %q", amount, got, want)
		}
	}
}

// What an issuer or Kakao says is shown and not obeyed.
func TestColumns_paintNothing(t *testing.T) {
	var out bytes.Buffer
	if err := columns(&out, [][]string{{"한도초과\x1b[2J\r\nok", "\u202edone"}}); err != nil {
		t.Fatal(err)
	}
	if want := "한도초과\uFFFD[2J\uFFFD\uFFFDok  \uFFFDdone\n"; out.String() != want {
		t.Errorf("columns() = %q, want %q", out.String(), want)
	}
}
