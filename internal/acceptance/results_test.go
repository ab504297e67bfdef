package acceptance_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"
)

func TestResults(t *testing.T) {
	show(t, map[string]func(*testing.T){
		"watching": watching,
		"webhooks": webhooks,

		"finish_report": finishReport,
	})
}

// Somebody watches a broadcast from its order to its end: what he is told last is what it came to.
func watching(t *testing.T) {
	h := open(t, plan{})
	s := h.openShop(0)
	s.topUp(10_000)
	b := s.order(append(s.friends(250), "stranger-1")...)
	type progress struct {
		broadcast
		Progress float64 `json:"progress"`
		Cost     struct {
			Captured int64 `json:"captured_krw"`
			VAT      int64 `json:"vat_krw"`
			Held     int64 `json:"held_krw"`
		} `json:"cost"`
	}
	var seen []progress
	ended := errors.New("the end")
	err := h.api.Events(t.Context(), "/api/v1/broadcasts/"+b.ID+"/events", time.Minute, func(name string, data []byte) error {
		if name == "end" {
			return ended
		}
		var p progress
		if err := json.Unmarshal(data, &p); err != nil {
			return err
		}
		seen = append(seen, p)
		return nil
	})
	if !errors.Is(err, ended) || len(seen) == 0 {
		t.Fatalf("watching ended after %d events with %v, want the end", len(seen), err)
	}
	for i, p := range seen[1:] {
		if p.Progress < seen[i].Progress {
			t.Errorf("event %d tells of %g after %g", i+1, p.Progress, seen[i].Progress)
		}
	}
	last := seen[len(seen)-1]
	if last.State != "finished" || last.Counts.Delivered != 250 || last.Counts.Failed != 1 || last.Progress != 1 ||
		last.Cost.Captured != 250*15 || last.Cost.VAT != 375 || last.Cost.Held != 0 {
		t.Errorf("the last event is %+v, want 250 of 251 delivered for 3,750 KRW and nothing held", last)
	}
	h.balance()
}
