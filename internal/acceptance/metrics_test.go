package acceptance_test

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// metric sums the samples of a metric that have all of the labels, each written name="value". The
// metric has to be there.
func (h *house) metric(name string, labels ...string) (sum float64) {
	h.t.Helper()
	found := false
	for line := range strings.Lines(h.metrics()) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if series, _, _ = strings.Cut(series, "{"); series != name || !holdsAll(line, labels) {
			continue
		}
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			h.t.Fatalf("metric %q: %v", line, err)
		}
		found, sum = true, sum+number
	}
	if !found {
		h.t.Fatalf("there is no metric %s with %q", name, labels)
	}
	return sum
}

func holdsAll(text string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

// counted waits until a metric is want: what was done is counted a moment after it was seen.
func (h *house) counted(want float64, name string, labels ...string) {
	h.t.Helper()
	h.until(fmt.Sprintf("%s of %q is %v", name, labels, want), func() (bool, any) {
		n := h.metric(name, labels...)
		return n == want, n
	})
}

// metrics reads /metrics.
func (h *house) metrics() string {
	h.t.Helper()
	request, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, h.metricsURL, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		h.t.Fatalf("GET %s = %s, %v", h.metricsURL, answer.Status, err)
	}
	return string(text)
}

// sent waits until so many mails were sent and written down as sent, besides those that tell of the
// channels with which a shop opens. Before the clock is moved far
// nothing may be on its way: leases end by that clock.
func (h *house) sent(mails int) {
	h.t.Helper()
	h.until("so many mails were sent: "+strconv.Itoa(mails), func() (bool, any) {
		n := h.metric("malgil_mails_total", `outcome="sent"`) - h.metric("malgil_mails_total", `case="channel_connected"`, `outcome="sent"`)
		return int(n) >= mails, n
	})
}
