package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// Cash, status, limit and prices, as an operator keeps them from a terminal.
func TestCommands_cashAndPrices(t *testing.T) {
	d := wholeProgram(t)
	wallet := d.Ready.Wallet
	has := func(what, text string, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("%s = %q, want %q in it", what, text, part)
			}
		}
	}

	give := []string{"wallet", "grant", wallet, "50000", "--expires-on", "2099-12-31", "--for", "첫 이용 축하"}
	if got := malgil(t, give...); got.code != exitFailed || !strings.Contains(got.stderr, "next 10 years") {
		t.Errorf("free cash to the end of the century = exit %d, %q, want 1 and why", got.code, got.stderr)
	}
	give[5] = "2030-12-31"
	has("grant --dry-run", ok(t, append(give, "--dry-run")...), "50,000 KRW of free cash to 2030-12-31", "nothing was done")
	given := ok(t, append(give, "--key", "gift-1")...)
	if again := ok(t, append(give, "--key", "gift-1")...); again != given {
		t.Errorf("grant repeated = %q, want %q", again, given)
	}
	has("grant", given, "waiting", "50,000", "첫 이용 축하")
	var grants struct{ Items []struct{ ID string } }
	if err := json.Unmarshal([]byte(ok(t, "wallet", "grants", wallet, "--json")), &grants); err != nil || len(grants.Items) != 1 {
		t.Fatalf("grants --json = %+v, %v, want the one", grants, err)
	}
	grant := grants.Items[0].ID
	has("use --dry-run", ok(t, "wallet", "use", wallet, grant, "--dry-run"), "cannot be undone; nothing was done")
	has("wallet show before use", ok(t, "wallet", "show", wallet), "free cash    0\n")
	has("use", ok(t, "wallet", "use", wallet, grant), "started")
	if got := malgil(t, "wallet", "use", wallet, grant); got.code != exitFailed || !strings.Contains(got.stderr, "started before") {
		t.Errorf("use again = exit %d, %q, want 1 and why", got.code, got.stderr)
	}
	has("wallet show after use", ok(t, "wallet", "show", wallet), "free cash    50,000\n")
	has("grant --paid", ok(t, "wallet", "grant", wallet, "300", "--paid", "--for", "보상"), "given")
	has("grants", ok(t, "wallet", "grants", wallet), "started", "given", "2030-12-31", "보상")

	has("limit", ok(t, "wallet", "limit", wallet, "2000000"), "2,000,000")
	if got := malgil(t, "wallet", "limit", wallet, "1500"); got.code != exitFailed || !strings.Contains(got.stderr, "steps of 1000") {
		t.Errorf("an odd limit = exit %d, %q, want 1 and why", got.code, got.stderr)
	}
	has("stop", ok(t, "wallet", "stop", wallet), "stopped")
	has("quote of a stopped wallet", ok(t, "wallet", "quote", "100", "--wallet", wallet), "WALLET_STOPPED", "after ")
	has("start", ok(t, "wallet", "start", wallet), "in_use")
	if got := malgil(t, "wallet", "delete", wallet); got.code != exitFailed || !strings.Contains(got.stderr, "wallet.status is in_use") {
		t.Errorf("delete of a wallet in use = exit %d, %q, want 1 and what is in the way", got.code, got.stderr)
	}
	has("delete --dry-run", ok(t, "wallet", "delete", wallet, "--dry-run"), "nothing was done")
	has("change", ok(t, "wallet", "change", wallet, "--name", "한빛책방"), "한빛책방")
	if got := malgil(t, "wallet", "change", wallet); got.code != exitUsage || !strings.Contains(got.stderr, "nothing to change") {
		t.Errorf("change of nothing = exit %d, %q, want 2 and what to give", got.code, got.stderr)
	}

	has("price set --dry-run", ok(t, "price", "set", "17", "2030-01-01", "--dry-run"), "17 KRW a message from 2030-01-01", "nothing was done")
	has("price set", ok(t, "price", "set", "17", "2030-01-01"), "2030-01-01", "coming")
	if got := malgil(t, "price", "set", "17", "2020-01-01"); got.code != exitFailed || !strings.Contains(got.stderr, "a day after today") {
		t.Errorf("a price of the past = exit %d, %q, want 1 and why", got.code, got.stderr)
	}
	has("price list", ok(t, "price", "list"), "event_message", "15", "17", "chat")
	has("quote", ok(t, "wallet", "quote", "100", "--wallet", wallet), "1,500", "enough", "2,000,000 a day", "free 48,500")
}
