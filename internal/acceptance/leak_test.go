package acceptance_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/malgil/malgil/internal/testserver"
)

// find looks for a secret in a text, as it is and as it is often written; it returns what is
// around it, or nothing.
func find(text, secret string) string {
	for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret)), hex.EncodeToString([]byte(secret)), url.QueryEscape(secret)} {
		if at := strings.Index(text, form); at >= 0 {
			return text[max(0, at-100):min(len(text), at+200)]
		}
	}
	return ""
}

// keepsSecrets looks, when a test of a house is over, for its secrets wherever people and machines
// read: every house of every test does. That they reached their peers, [TestSecrets] shows.
func (h *house) keepsSecrets(t testing.TB, logs func() string, redisURL string) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		places := map[string]string{"the log": logs()}
		for place, path := range map[string]string{"mails": "/sandbox/mails?limit=1000", "cards": "/sandbox/cards"} {
			var text json.RawMessage
			if err := h.sandbox.Call(ctx, "GET", path, nil, &text); err == nil { // a test may have stopped it
				places[place] = string(text)
			}
		}
		secrets := map[string]string{"the API token": h.token, "KakaoPay's secret key": paySecret, "the bank's secret": bankSecret, "the carrier's secret": taxSecret}
		for _, s := range h.shops {
			secrets["the REST key of "+s.bot] = s.restKey
			secrets["user keys of "+s.bot] = "reader-" + s.bot[20:] + "-" // as friends have them
		}
		var cards struct {
			Items []struct {
				Name string
				SIDs []string
			}
		}
		if err := json.Unmarshal([]byte(places["cards"]), &cards); err == nil {
			for _, c := range cards.Items {
				for _, sid := range c.SIDs {
					secrets["a sid of "+c.Name] = sid
				}
			}
		}
		delete(places, "cards") // of the gateway, whose they are
		var audit json.RawMessage
		if err := h.api.Call(ctx, "GET", "/api/v1/audit?limit=200", nil, &audit); err == nil {
			places["the audit log"] = string(audit)
		}
		if text, err := page(ctx, h.metricsURL); err == nil {
			places["metrics"] = text
		}
		if redisURL != "" {
			if text, err := everythingIn(ctx, redisURL); err == nil {
				places["Redis"] = text
			}
		}
		for name, secret := range secrets {
			for place, text := range places {
				if around := find(text, secret); around != "" {
					t.Errorf("%s is in %s: …%s…", name, place, around)
				}
			}
		}
	})
}

// page reads a page.
func page(ctx context.Context, address string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return string(text), err
}

// everythingIn reads all that a Redis holds: waiting, running, retried and archived tasks with their
// errors among it.
func everythingIn(ctx context.Context, address string) (string, error) {
	options, err := redis.ParseURL(address)
	if err != nil {
		return "", err
	}
	options.MaxRetries = -1
	client := redis.NewClient(options)
	defer client.Close()
	if err := client.ConfigSet(ctx, "rdbcompression", "no").Err(); err != nil { // what DUMP tells is read as it is
		return "", err
	}
	var all strings.Builder
	keys := client.Scan(ctx, 0, "", 1000).Iterator()
	for keys.Next(ctx) {
		text, err := client.Dump(ctx, keys.Val()).Result()
		if err != nil && err != redis.Nil { // gone meanwhile
			return "", err
		}
		all.WriteString(keys.Val() + " " + text + "\n")
	}
	return all.String(), keys.Err()
}

// A secret in any place of a Redis is found.
func TestEverythingIn(t *testing.T) {
	address := testserver.Redis(t).URL()
	options, err := redis.ParseURL(address)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	defer client.Close()
	long := strings.Repeat("aaaaaaaaaa", 1000) // what a Redis would compress
	for kind, err := range map[string]error{
		"text": client.Set(t.Context(), "text", long+"planted-text", 0).Err(),
		"hash": client.HSet(t.Context(), "hash", "msg", long+"planted-hash").Err(),
		"list": client.RPush(t.Context(), "list", long, "planted-list").Err(),
		"set":  client.SAdd(t.Context(), "set", long, "planted-set").Err(),
		"zset": client.ZAdd(t.Context(), "zset", redis.Z{Score: 1, Member: "planted-zset"}).Err(),
	} {
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		all, err := everythingIn(t.Context(), address)
		if err != nil || find(all, "planted-"+kind) == "" {
			t.Errorf("what is planted in a %s is not found (%v)", kind, err)
		}
	}
}
