package invoice_test

import (
	"testing"
	"time"

	"github.com/malgil/malgil/internal/invoice"
)

// What was refused is handed over once more at its time; what a person asked for, or what is refused
// then, is given up.
func TestInvoice_RetryAt(t *testing.T) {
	again := moment(t, "2026-12-03 10:00")
	tests := map[string]struct {
		asked time.Time
		now   time.Time
		want  bool
	}{
		"on the second business day":           {now: moment(t, "2026-12-02 10:00"), want: true},
		"just before the third":                {now: again.Add(-time.Millisecond), want: true},
		"at 10:00 of the third":                {now: again},
		"later":                                {now: moment(t, "2026-12-05 10:00")},
		"asked for by a person":                {asked: moment(t, "2026-12-02 09:00"), now: moment(t, "2026-12-02 10:00")},
		"asked for by a person after the date": {asked: moment(t, "2026-12-08 09:00"), now: moment(t, "2026-12-08 09:00")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			at, got := invoice.Invoice{Again: again, AskedAt: tt.asked}.RetryAt(tt.now)
			if got != tt.want || got && !at.Equal(again) {
				t.Errorf("RetryAt(%s) = %s, %v, want %s, %v", tt.now, at, got, again, tt.want)
			}
		})
	}
}

// A carrier that cannot be reached is tried until the date, and for a day after a person asked.
func TestInvoice_GivesUp(t *testing.T) {
	giveUp := moment(t, "2026-12-07 10:00")
	asked := moment(t, "2026-12-09 15:00")
	tests := map[string]struct {
		asked, now time.Time
		want       bool
	}{
		"before the date":                        {now: giveUp.Add(-time.Millisecond)},
		"at the date":                            {now: giveUp, want: true},
		"asked for after it, at once":            {asked: asked, now: asked},
		"asked for after it, within a day":       {asked: asked, now: asked.Add(24*time.Hour - time.Millisecond)},
		"asked for after it, a day later":        {asked: asked, now: asked.Add(24 * time.Hour), want: true},
		"asked for long before it, before":       {asked: moment(t, "2026-12-02 12:00"), now: moment(t, "2026-12-04 12:00")},
		"asked for long before it, at the date":  {asked: moment(t, "2026-12-02 12:00"), now: giveUp, want: true},
		"asked for just before it, at the date":  {asked: giveUp.Add(-time.Hour), now: giveUp},
		"asked for just before it, a day passed": {asked: giveUp.Add(-time.Hour), now: giveUp.Add(23 * time.Hour), want: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := (invoice.Invoice{GiveUp: giveUp, AskedAt: tt.asked}).GivesUp(tt.now); got != tt.want {
				t.Errorf("GivesUp(%s) = %v, want %v", tt.now, got, tt.want)
			}
		})
	}
}

// Each code has words of its own, and only what the recipient can do nothing about is ours.
func TestFailure(t *testing.T) {
	ours := map[string]bool{
		invoice.CodeClosed: false, invoice.CodeSuspended: false, invoice.CodeBadNumber: false, invoice.CodeBadEmail: false,
		invoice.CodeUnreachable: true, invoice.CodeMismatch: true, invoice.CodeLate: true, invoice.CodeNegative: true,
		invoice.CodeNoCarrier: true, invoice.CodeRejected: true, invoice.CodeUnconfirmed: true, invoice.CodeNotIssued: true, invoice.CodeSettled: true,
	}
	words := map[string]string{}
	for code, want := range ours {
		if got := invoice.Ours(code); got != want {
			t.Errorf("Ours(%s) = %v, want %v", code, got, want)
		}
		text := invoice.Failure(code)
		if other := words[text]; other != "" || text == "" {
			t.Errorf("Failure(%s) = %q, want words of its own; %q has the same", code, text, other)
		}
		words[text] = code
	}
	if got := invoice.Failure("TAX_OFFICE_CLOSED"); got == "" || words[got] != "" {
		t.Errorf("Failure of another code = %q, want words of no code", got)
	}
	if invoice.Ours("TAX_OFFICE_CLOSED") {
		t.Error("Ours of another code = true, want false: the recipient may know more")
	}
}

// Two parties are the same on an invoice by their number and their name alone.
func TestParty_SameAs(t *testing.T) {
	p := invoice.Party{Number: "2208162517", Name: "한빛서점", Representative: "김하늘", Address: "수원시", Type: "도소매업", Item: "서적", Email: "a@hanbit.example"}
	for name, tt := range map[string]struct {
		change func(*invoice.Party)
		want   bool
	}{
		"number":         {func(p *invoice.Party) { p.Number = "1248100998" }, false},
		"name":           {func(p *invoice.Party) { p.Name = "한빛책방" }, false},
		"representative": {func(p *invoice.Party) { p.Representative = "이바다" }, true},
		"address":        {func(p *invoice.Party) { p.Address = "" }, true},
		"type":           {func(p *invoice.Party) { p.Type = "서비스업" }, true},
		"item":           {func(p *invoice.Party) { p.Item = "문구" }, true},
		"mail":           {func(p *invoice.Party) { p.Email = "b@hanbit.example" }, true},
	} {
		q := p
		tt.change(&q)
		if p.SameAs(q) != tt.want || q.SameAs(p) != tt.want {
			t.Errorf("SameAs with another %s = %v, want %v", name, p.SameAs(q), tt.want)
		}
	}
}
