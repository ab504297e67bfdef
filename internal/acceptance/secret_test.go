package acceptance_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/app"
)

// record keeps everything that passes by. It is safe for concurrent use.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(text []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(text)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// tap returns an address that passes requests on to a server, and keeps what was asked and what
// was answered.
func tap(t *testing.T, server string) (address string, asked, answered *record) {
	t.Helper()
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	asked, answered = &record{}, &record{}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			text, err := httputil.DumpRequestOut(r.Out, true)
			if err != nil {
				t.Errorf("read a request: %v", err)
			}
			_, _ = asked.Write(append(text, '\n')) // a buffer takes everything
		},
		ModifyResponse: func(r *http.Response) error {
			r.Body = struct {
				io.Reader
				io.Closer
			}{io.TeeReader(r.Body, answered), r.Body}
			return r.Header.Write(answered)
		},
		// A connection that the server cuts is cut.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	return front.URL, asked, answered
}

// tapRedis returns an address that passes connections on to a Redis, and what is sent to it on each
// of them.
func tapRedis(t *testing.T, server string) (address string, sent func() string) {
	t.Helper()
	door, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var connections []*record
	var open sync.WaitGroup
	open.Go(func() {
		for {
			client, err := door.Accept()
			if err != nil {
				return // the door is closed
			}
			redis, err := net.Dial("tcp", server)
			if err != nil {
				_ = client.Close() // as the Redis would
				continue
			}
			own := &record{}
			mu.Lock()
			connections = append(connections, own)
			mu.Unlock()
			open.Go(func() { defer redis.Close(); _, _ = io.Copy(io.MultiWriter(redis, own), client) })
			open.Go(func() { defer client.Close(); _, _ = io.Copy(client, redis) })
		}
	})
	t.Cleanup(func() { _ = door.Close(); open.Wait() })
	return door.Addr().String(), func() string {
		mu.Lock()
		defer mu.Unlock()
		var all strings.Builder
		for _, c := range connections {
			all.WriteString(c.String())
		}
		return all.String()
	}
}

// Secrets reach their peer and nobody else.
func TestSecrets(t *testing.T) {
	show(t, map[string]func(*testing.T){"stay": secretsStay})
}

// Each secret is seen to reach its peer while cards decline, answers are lost and keys are
// refused. Then it is in no log, no task, no answer, no mail, no metric and no file.
func secretsStay(t *testing.T) {
	var log record
	var outsideAsked *record
	var sent func() string
	var database string
	traces := filepath.Join(t.TempDir(), "traces")
	h := open(t, plan{
		log: slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}),
		config: func(c *app.Config) {
			var address string
			address, outsideAsked, _ = tap(t, c.KakaoURL)
			c.KakaoURL, c.KakaoPayURL, c.BankURL, c.TaxURL = address, address, address, address
			redis := strings.TrimSuffix(strings.TrimPrefix(c.Redis, "redis://"), "/0")
			if redis == "" {
				redis = miniredis.RunT(t).Addr()
			}
			address, sent = tapRedis(t, redis)
			c.Redis = "redis://" + address + "/0"
			database = strings.TrimPrefix(c.DB, "sqlite:")
			c.ChargeThreshold = 1_500
			c.Trace = "file:" + traces
		},
	})
	front, apiAsked, apiAnswered := tap(t, h.url)
	h.api = apiclient.New(front, h.token)
	h.world.API = h.api
	s := h.openShop(2)
	s.misfortunes()
	recipient, visitor := "planted-"+rand.Text(), "planted-"+rand.Text()
	h.do("POST", "/api/v1/bots/"+s.bot+"/resume", nil, nil)
	s.finish(s.order(recipient))
	if err := h.saysAndHears(s, visitor, "안녕", greeting); err != nil {
		t.Error(err)
	}
	if err := h.world.Transfer(t.Context(), s.wallet, 1_000); err != nil {
		t.Error(err)
	}
	paper := s.invoicedInDoubt()
	redisGot := &record{}
	_, _ = io.WriteString(redisGot, sent())

	// Each with where else it has to be: a chunk names its people, and a task of an utterance is
	// Kakao's own call.
	planted := map[string]struct {
		secret string
		peer   *record // what it was asked
		as     string
		but    string
	}{
		"the API token":         {h.token, apiAsked, "Authorization: Bearer ", ""},
		"KakaoPay's secret key": {paySecret, outsideAsked, "Authorization: SECRET_KEY ", ""},
		"the bank's secret":     {bankSecret, outsideAsked, "Authorization: Bearer ", ""},
		"the carrier's secret":  {taxSecret, outsideAsked, "Authorization: Bearer ", ""},
		"the bot's REST key":    {s.restKey, outsideAsked, "Authorization: KakaoAK ", ""},
		"the first card's sid":  {h.paidBy(s.cards[0]).SIDs[0], outsideAsked, `"sid":"`, ""},
		"the second card's sid": {h.paidBy(s.cards[1]).SIDs[0], outsideAsked, `"sid":"`, ""},
		"a recipient's key":     {recipient, outsideAsked, `"id":"`, "files of the SQLite"},
		"a visitor's key":       {visitor, redisGot, `"id":"`, "tasks and errors"},
	}
	if !strings.Contains(redisGot.String(), "billing:issue_invoice") {
		t.Error("no task was of an invoice, so nothing was shown of them")
	}
	var spans string // sent every five seconds
	h.within(20*time.Second, "the utterance is in the traces", func() (bool, any) {
		spans = files(t, traces)
		return strings.Contains(spans, "utterance:answer"), len(spans)
	})
	var audit json.RawMessage
	h.get("/api/v1/audit?limit=200", &audit)
	var inbox json.RawMessage
	h.ask("/sandbox/mails", &inbox)
	places := map[string]struct{ text, proof string }{ // with what shows that the place was looked into
		"the log":             {log.String(), `"skill call is not readable"`},
		"tasks and errors":    {redisGot.String(), "broadcast:send_chunk"},
		"answers on invoices": {apiAnswered.String(), `"approval_number"`},
		"paper of invoices":   {paper, "전자세금계산서"},
		"the audit log":       {string(audit), `"top-up"`},
		"pages":               {s.pages(), "충전이 완료되었습니다"},
		"answers of the API":  {apiAnswered.String(), `"INVALID"`},
		"mails":               {string(inbox), "자동결제 완료"},
		"metrics":             {h.metrics(), "malgil_attempts_total"},
		"traces":              {spans, "broadcast:send_chunk"},
		"files of the SQLite": {s.wallet, s.wallet},
	}
	if !realParts {
		places["files of the SQLite"] = struct{ text, proof string }{files(t, database, database+"-wal"), s.wallet}
	}
	for name, p := range planted {
		if !strings.Contains(p.peer.String(), p.as+p.secret) {
			t.Errorf("%s has not reached its peer as %s…", name, p.as)
		}
		for place, found := range places {
			if around := find(found.text, p.secret); around != "" && place != p.but {
				t.Errorf("%s is in %s: …%q…", name, place, around)
			}
		}
	}
	for place, found := range places {
		if !strings.Contains(found.text, found.proof) {
			t.Errorf("%s do not hold %s, so nothing was shown of them", place, found.proof)
		}
	}
}

// invoicedInDoubt has this month's tax invoice issued by a carrier that does not take our secret at first,
// then loses its answer. It returns the paper.
func (s *shop) invoicedInDoubt() (paper string) {
	h := s.house
	h.t.Helper()
	h.fault("tax.issue", "unauthorized", nil)
	h.fault("tax.issue", "garbage", nil)
	h.fault("tax.lookup", "unauthorized", nil)
	now := h.now().In(seoul)
	h.tell("PUT", "/sandbox/clock", map[string]any{"now": time.Date(now.Year(), now.Month()+1, 12, 10, 0, 0, 0, seoul)}, nil)
	h.until("the invoice is issued", func() (bool, any) {
		h.advance(time.Minute)
		all := s.invoices()
		return len(all) == 1 && all[0].State == "issued", all
	})
	for _, format := range []string{"html", "pdf"} {
		paper += string(h.document("/api/v1/wallets/" + s.wallet + "/invoices/" + s.invoices()[0].ID + "/document?format=" + format))
	}
	hits := h.faultHits()
	if hits["tax.issue"] != 2 || hits["tax.lookup"] != 1 {
		h.t.Errorf("%d calls of the carrier and %d look-ups went wrong, want 2 and 1", hits["tax.issue"], hits["tax.lookup"])
	}
	return paper
}

// pages reads what people see in a browser: the end of a payment, and what they see with a wrong
// address, and the description of the API.
func (s *shop) pages() string {
	h := s.house
	h.t.Helper()
	var begun struct {
		ID       string            `json:"id"`
		Redirect map[string]string `json:"redirect"`
	}
	h.do("POST", "/api/v1/wallets/"+s.wallet+"/topups", map[string]any{"amount_krw": 1_000}, &begun, apiclient.IdempotencyKey(rand.Text()))
	var back struct {
		URL string `json:"redirect_url"`
	}
	h.tell("POST", "/sandbox/pay/"+path.Base(begun.Redirect["pc"]), map[string]any{"card": "hanbit"}, &back)
	var all strings.Builder
	for _, address := range []string{back.URL, back.URL, h.url + "/pay/" + begun.ID + "/wrong", h.url + "/api/docs", h.url + "/api/openapi.json"} {
		text, err := page(h.t.Context(), address)
		if err != nil {
			h.t.Errorf("read %s: %v", address, err)
		}
		all.WriteString(text)
	}
	return all.String()
}

// files reads files that may not be there.
func files(t *testing.T, names ...string) string {
	t.Helper()
	var all strings.Builder
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// misfortunes lets a shop with two cards pay and send while everything goes wrong that makes
// somebody write an error down.
func (s *shop) misfortunes() {
	h := s.house
	h.t.Helper()
	h.fault("smtp", "error_before", nil)
	s.topUp(1_000)
	s.deliver(100)
	s.behave("declined", s.cards[0])
	s.deliver(100) // the second card pays
	s.charged(1, "paid")
	h.mails(s.master, "자동결제 완료", 1)

	h.advance(time.Minute)
	h.fault("kakaopay.subscription", "garbage", map[string]any{"card": s.cards[1].plastic})
	s.deliver(100)
	h.until("the outcome of the second card is unknown", func() (bool, any) {
		list := s.charges()
		tries := list[0].tries()
		return len(tries) == 2 && tries[1] == "unknown", list
	})
	h.fault("kakaopay.sid_status", "unauthorized", nil)
	h.until("the second charge is found paid", func() (bool, any) {
		h.advance(time.Minute) // the look-up that was refused is made again
		list := s.charges()
		return list[0].State == "paid", list
	})

	h.fault("kakaopay.subscription", "unauthorized", map[string]any{"card": s.cards[0].plastic})
	s.deliver(100)
	s.charged(3, "halted")

	h.fault("kakao.send", "error_before", nil)
	b := s.order(s.friends(1)...)
	h.until("a broadcast is in doubt", func() (bool, any) {
		b = s.look(b)
		return b.Counts.InDoubt == 1, b
	})
	h.fault("kakao.send", "unauthorized", nil)
	s.waits(s.order(s.friends(1)...), "config")

	h.post(s.skillURL, "application/json", "no JSON")
	if err := h.saysAndHears(s, "u-1", "안녕", greeting); err != nil {
		h.t.Error(err)
	}
	for _, body := range []map[string]any{
		{"id": "no id!", "name": "x", "rest_api_key": s.restKey},
		{"id": s.bot, "name": "x", "rest_api_key": s.restKey},
		{"id": "66a1f0c2d4b7e83f5a9c1dcc", "name": "x", "rest_api_key": s.restKey + " "},
		{"name": "x", "rest_api_key": []string{s.restKey}},
	} {
		if p := h.refused("POST", "/api/v1/bots", body); p == nil {
			h.t.Errorf("a bot that cannot be is taken: %v", body["id"])
		}
	}
	h.get("/api/v1/bots/"+s.bot, nil)
	h.get("/api/v1/tokens", nil)
	h.get("/api/v1/accounts/"+s.master.id+"/cards", nil)
}
