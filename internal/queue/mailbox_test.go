package queue_test

import (
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/testserver"
)

func openMailbox(t *testing.T, address queue.Address, name string) *queue.Mailbox {
	t.Helper()
	conn := address.EnqueueClient()
	m := queue.OpenMailbox(conn, name)
	t.Cleanup(func() { m.Close(); _ = conn.Close() })
	return m
}

func TestMailbox_tellsWhoWaits(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		x := newExchange(t, address)
		mine, others := openMailbox(t, address, "intake-1"), openMailbox(t, address, "intake-2")
		within(t, "the first mailbox is ready", mine.Ready())
		within(t, "the second mailbox is ready", others.Ready())

		first, forgetFirst := mine.Expect("utt_1")
		second, forgetSecond := mine.Expect("utt_1") // the same call twice
		stranger, forgetStranger := mine.Expect("utt_2")
		defer forgetStranger()
		elsewhere, forgetElsewhere := others.Expect("utt_1")
		defer forgetElsewhere()
		drain(first, second, stranger, elsewhere)
		for range 3 { // hints may repeat
			tell(t, x, "utt_1", "{}", mine.Name())
		}
		within(t, "the first is told", first)
		within(t, "the second is told", second)
		forgetFirst()
		tell(t, x, "utt_1", "{}", mine.Name())
		within(t, "the second is told again", second)
		forgetSecond()
		forgetSecond()
		if len(stranger) != 0 || len(elsewhere) != 0 {
			t.Errorf("%d and %d hints for others, want none", len(stranger), len(elsewhere))
		}
	})
}

// drain takes what subscribing itself told.
func drain(all ...<-chan []byte) {
	for _, c := range all {
		select {
		case <-c:
		default:
		}
	}
}

// What was published while the subscription was cut is lost; being connected again wakes
// everybody, so that they look.
func TestMailbox_wakesAllAfterACut(t *testing.T) {
	server := testserver.Redis(t)
	m := openMailbox(t, parse(t, server.URL()), "intake-1")
	within(t, "the mailbox is ready", m.Ready())
	told, forget := m.Expect("utt_1")
	defer forget()
	drain(told)
	server.Kill()
	server.Restart()
	within(t, "told after the restart", told)
}

func TestMailbox_opensWithoutRedis(t *testing.T) {
	server := testserver.Redis(t)
	server.Stop()
	m := openMailbox(t, parse(t, server.URL()), "intake-1")
	told, forget := m.Expect("utt_1")
	defer forget()
	server.Restart()
	within(t, "ready when Redis is there", m.Ready())
	within(t, "told to look", told)
}

// The answer comes with the word, unless it is long: then only that it is there.
func TestMailbox_tellsTheAnswer(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		x, m := newExchange(t, address), openMailbox(t, address, "intake-1")
		within(t, "the mailbox is ready", m.Ready())
		for id, tt := range map[string]struct{ answer, want string }{
			"an answer":            {`{"version":"2.0","data":{"text":"여덟\n아홉"}}`, `{"version":"2.0","data":{"text":"여덟\n아홉"}}`},
			"the longest":          {strings.Repeat("x", 8<<10), strings.Repeat("x", 8<<10)},
			"one that is too long": {strings.Repeat("x", 8<<10+1), ""},
		} {
			told, forget := m.Expect(id)
			tell(t, x, id, tt.answer, m.Name())
			if got := within(t, "told "+id, told); string(got) != tt.want {
				t.Errorf("%s: told %d bytes, want %d", id, len(got), len(tt.want))
			}
			forget()
		}
	})
}

// Nobody is told of an answer that lost.
func TestMailbox_lostAnswer(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		x, m := newExchange(t, address), openMailbox(t, address, "intake-1")
		within(t, "the mailbox is ready", m.Ready())
		lost, forgetLost := m.Expect("utt_1")
		defer forgetLost()
		next, forgetNext := m.Expect("utt_2")
		defer forgetNext()
		if _, _, err := x.Settle(t.Context(), "utt_1", late); err != nil {
			t.Fatal(err)
		}
		if _, won, err := x.Answer(t.Context(), "utt_1", answer.Answer, m.Name()); err != nil || won {
			t.Fatalf("Answer = won %v, %v, want lost", won, err)
		}
		tell(t, x, "utt_2", "{}", m.Name())
		within(t, "the next is told", next)
		if len(lost) != 0 {
			t.Errorf("told %q of an answer that lost", <-lost)
		}
	})
}

// tell answers an utterance.
func tell(t *testing.T, x *queue.Exchange, id, answer, mailbox string) {
	t.Helper()
	if _, won, err := x.Answer(t.Context(), id, []byte(answer), mailbox); err != nil || !won {
		t.Fatalf("Answer(%s) = won %v, %v, want won", id, won, err)
	}
}

// A hint that never comes loses nothing: the key has the answer.
func TestMailbox_missedHint(t *testing.T) {
	onBoth(t, func(t *testing.T, address queue.Address) {
		x := newExchange(t, address)
		m := openMailbox(t, address, "intake-1")
		within(t, "the mailbox is ready", m.Ready())
		told, forget := m.Expect("utt_1")
		defer forget()
		drain(told)
		if _, won, err := x.Settle(t.Context(), "utt_1", answer); err != nil || !won {
			t.Fatalf("Settle = %v, %v, want won", won, err)
		}
		standing, won, err := x.Settle(t.Context(), "utt_1", late)
		if err != nil || won || string(standing.Answer) != string(answer.Answer) || len(told) != 0 {
			t.Errorf("at the end of the budget: %+v, won %v, %v, %d hints, want the answer and no hint", standing, won, err, len(told))
		}
	})
}
