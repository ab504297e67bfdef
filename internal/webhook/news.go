package webhook

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/wallet"
)

// News is one thing that happened, and that webhooks are told of.
type News struct {
	Event   Event
	Subject string // what it is about; the same event of one subject is told of once
	At      time.Time
	Data    any // encodes to JSON; holds no user keys
}

// maxReason bounds in bytes what a reason says.
const maxReason = 300

// Told is what an event says of a broadcast.
type Told struct {
	Broadcast  broadcast.ID    `json:"broadcast"`
	Bot        string          `json:"bot"`
	Name       string          `json:"name,omitempty"`
	State      broadcast.State `json:"state"`
	Reason     string          `json:"reason,omitempty"`
	Counts     ToldCounts      `json:"counts"`
	Cost       ToldCost        `json:"cost"`
	StartedAt  time.Time       `json:"started_at,omitzero"`
	FinishedAt time.Time       `json:"finished_at,omitzero"`
}

// ToldCounts are the counts of a broadcast in an event.
type ToldCounts struct {
	Audience  int `json:"audience"`
	Delivered int `json:"delivered"`
	Failed    int `json:"failed"`
	Unknown   int `json:"unknown"`
	Skipped   int `json:"skipped"`
	InDoubt   int `json:"in_doubt"`
}

// ToldCost is the cost of a broadcast in an event.
type ToldCost struct {
	Price    wallet.KRW `json:"price_krw"`
	Captured wallet.KRW `json:"captured_krw"`
	VAT      wallet.KRW `json:"vat_krw"`
}

// Of returns what happened to a broadcast in the change that was made at a time: it was held back for a second person,
// started or finished at that moment.
func Of(b broadcast.Broadcast, now time.Time) []News {
	var news []News
	if b.SealedAt.Equal(now) && b.Wait == broadcast.WaitApproval {
		news = append(news, OfPause(b, "approval: a second person has to approve what it costs", now))
	}
	if b.StartedAt.Equal(now) {
		news = append(news, about(b, Started, string(b.ID), "", now))
	}
	if b.FinishedAt.Equal(now) { // it may finish again, when an outcome was open once more
		news = append(news, about(b, Finished, fmt.Sprintf("%s@%d", b.ID, now.UnixMilli()), "", now))
	}
	return news
}

// OfPause returns that a broadcast was paused at a time, by itself and why; by a person when that is empty.
func OfPause(b broadcast.Broadcast, why string, now time.Time) News {
	if why == "" {
		why = "paused by a person"
	}
	return about(b, Paused, fmt.Sprintf("%s@%d", b.ID, now.UnixMilli()), cut(why), now)
}

func about(b broadcast.Broadcast, e Event, subject, reason string, now time.Time) News {
	n := b.Counts
	told := Told{
		Broadcast: b.ID, Bot: b.BotID, Name: b.Name, State: b.State, Reason: reason,
		Counts:    ToldCounts{n.Audience, n.Delivered, n.Failed, n.Unknown, n.Skipped, n.InDoubt},
		Cost:      ToldCost{b.Price, b.Captured, wallet.VAT(b.Captured)},
		StartedAt: b.StartedAt, FinishedAt: b.FinishedAt,
	}
	return News{Event: e, Subject: subject, At: now, Data: told}
}

// cut bounds a text, not inside a letter.
func cut(text string) string {
	if len(text) <= maxReason {
		return text
	}
	end := maxReason
	for end > 0 && text[end]&0xC0 == 0x80 {
		end--
	}
	return text[:end]
}

// PingOf returns what a test tells.
func PingOf(hookID, subject string, now time.Time) News {
	return News{Event: Ping, Subject: subject, At: now, Data: map[string]string{"webhook": hookID}}
}

// DeliveryID returns the identifier of the delivery of news to a webhook. It sorts by the time of the news
// and is the same however often it is asked for, so news that is written twice is told of once.
func (n News) DeliveryID(hookID string) string {
	hash := sha256.New()
	for _, part := range []string{hookID, string(n.Event), n.Subject} {
		fmt.Fprintf(hash, "%d:%s", len(part), part)
	}
	var id ulid.ULID
	copy(id[:], hash.Sum(nil)) // 128 bits, of which the first 48 become the time
	if err := id.SetTime(ulid.Timestamp(n.At)); err != nil {
		panic(fmt.Sprintf("webhook: news at %v: %v", n.At, err)) // beyond the year 10889
	}
	return "whd_" + id.String()
}

// Body returns what is posted to a webhook, the same at every try.
func (n News) Body(hookID string) ([]byte, error) {
	body, err := json.Marshal(struct {
		ID    string    `json:"id"`
		Event Event     `json:"event"`
		At    time.Time `json:"at"`
		Data  any       `json:"data"`
	}{n.DeliveryID(hookID), n.Event, n.At.UTC(), n.Data})
	if err != nil {
		return nil, fmt.Errorf("encode the event %s: %w", n.Event, err)
	}
	return body, nil
}
