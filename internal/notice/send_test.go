package notice_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/notice"
)

// fakeStore has one mail that waits.
type fakeStore struct {
	mail     notice.Claim
	epoch    int
	state    notice.State
	lease    time.Duration
	recorded []notice.Result
	claimErr error
}

func newFakeStore(t *testing.T, attempts int) *fakeStore {
	t.Helper()
	body, err := notice.Encode(notice.TopUp{WalletName: "한빛서점"})
	if err != nil {
		t.Fatal(err)
	}
	return &fakeStore{epoch: 1, state: notice.Waiting, mail: notice.Claim{
		ID: "mail_1", Case: notice.CaseTopUp, Data: body, To: notice.Receiver{Address: "kim@example.com"}, Attempts: attempts,
	}}
}

func (s *fakeStore) ClaimMail(_ context.Context, id string, epoch int, now, leaseUntil time.Time) (notice.Claim, bool, error) {
	if s.claimErr != nil || id != s.mail.ID || epoch != s.epoch || s.state != notice.Waiting {
		return notice.Claim{}, false, s.claimErr
	}
	s.state, s.lease = notice.Sending, leaseUntil.Sub(now)
	return s.mail, true, nil
}

func (s *fakeStore) RecordMail(ctx context.Context, id string, epoch int, _ time.Time, r notice.Result) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if id == s.mail.ID && epoch == s.epoch && s.state == notice.Sending {
		s.state, s.epoch = r.State, s.epoch+1
		s.recorded = append(s.recorded, r)
	}
	return nil
}

// fakeMailer answers with err and keeps what it was given.
type fakeMailer struct {
	err     error
	onSend  func()
	letters []notice.Letter
}

func (m *fakeMailer) Send(ctx context.Context, l notice.Letter) error {
	m.letters = append(m.letters, l)
	if m.onSend != nil {
		m.onSend()
	}
	if _, ok := ctx.Deadline(); !ok {
		return errors.New("a letter without a deadline")
	}
	return m.err
}

var mutes = notice.NewMuteLinks("https://malgil.example", []byte("secret"))

func render(_ context.Context, data notice.Data, _ string) (notice.Mail, error) {
	return notice.Mail{Subject: "충전", Text: data.(notice.TopUp).WalletName, HTML: "<p>"}, nil
}

func now() time.Time { return t0 }

func TestService_Send(t *testing.T) {
	long := strings.Repeat("가", 200)
	tests := map[string]struct {
		attempts int
		err      error
		want     notice.Result
	}{
		"taken by the server": {want: notice.Result{Case: notice.CaseTopUp, State: notice.Sent, Attempts: 1}},
		"receiver refused for good": {
			err:  fault.New(fault.Refused, "550 no such user"),
			want: notice.Result{Case: notice.CaseTopUp, State: notice.Bounced, Attempts: 1, Reason: "550 no such user"},
		},
		"nobody is at the address": {
			err:  fault.Coded(fault.Refused, notice.CodeMailboxGone, "550 5.1.1"),
			want: notice.Result{Case: notice.CaseTopUp, State: notice.Bounced, Attempts: 1, Reason: "550 5.1.1", Gone: true},
		},
		"first trouble waits a minute": {
			err:  fault.New(fault.Throttled, "450 greylisted"),
			want: notice.Result{Case: notice.CaseTopUp, State: notice.Waiting, Attempts: 1, NextAt: t0.Add(time.Minute), Reason: "450 greylisted"},
		},
		"server away": {
			attempts: 3, err: fault.New(fault.Unavailable, "could not be reached"),
			want: notice.Result{Case: notice.CaseTopUp, State: notice.Waiting, Attempts: 4, NextAt: t0.Add(time.Hour), Reason: "could not be reached"},
		},
		"no answer after the dot is sent again": {
			err:  fault.New(fault.InDoubt, "did not answer"),
			want: notice.Result{Case: notice.CaseTopUp, State: notice.Waiting, Attempts: 1, NextAt: t0.Add(time.Minute), Reason: "did not answer"},
		},
		"seventh trouble waits for the last try": {
			attempts: 6, err: fault.New(fault.Throttled, "450"),
			want: notice.Result{Case: notice.CaseTopUp, State: notice.Waiting, Attempts: 7, NextAt: t0.Add(13 * time.Hour), Reason: "450"},
		},
		"eighth trouble is the end": {
			attempts: 7, err: fault.New(fault.Throttled, "450"),
			want: notice.Result{Case: notice.CaseTopUp, State: notice.Failed, Attempts: 8, Reason: "450"},
		},
		"a long reason is cut between letters": {
			attempts: 7, err: fault.New(fault.Throttled, "%s", long),
			want: notice.Result{Case: notice.CaseTopUp, State: notice.Failed, Attempts: 8, Reason: long[:300]},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			store, mailer := newFakeStore(t, tt.attempts), &fakeMailer{err: tt.err}
			got, err := notice.New(store, mailer, render, mutes, now).Send(t.Context(), "mail_1", 1)
			if err != nil {
				t.Fatalf("Send error = %v, want nil", err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Send (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]notice.Result{tt.want}, store.recorded); diff != "" {
				t.Errorf("recorded (-want +got):\n%s", diff)
			}
			want := notice.Letter{ID: "mail_1", To: notice.Receiver{Address: "kim@example.com"}, At: t0,
				Mail: notice.Mail{Subject: "충전", Text: "한빛서점", HTML: "<p>"}, Mute: mutes.Of(notice.CaseTopUp, "mail_1")}
			if diff := cmp.Diff([]notice.Letter{want}, mailer.letters); diff != "" {
				t.Errorf("letters (-want +got):\n%s", diff)
			}
			if store.lease <= 13*time.Minute || store.lease >= 15*time.Minute {
				t.Errorf("lease = %v, want more than a delivery may take and less than its task", store.lease)
			}
		})
	}
}

func TestService_Send_leavesAlone(t *testing.T) {
	tests := map[string]struct {
		id     string
		epoch  int
		change func(*fakeStore)
	}{
		"a mail of another epoch": {"mail_1", 2, func(*fakeStore) {}},
		"a mail that was sent":    {"mail_1", 1, func(s *fakeStore) { s.state = notice.Sent }},
		"a mail that is taken":    {"mail_1", 1, func(s *fakeStore) { s.state = notice.Sending }},
		"a mail that is gone":     {"mail_2", 1, func(*fakeStore) {}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			store, mailer := newFakeStore(t, 0), &fakeMailer{}
			tt.change(store)
			got, err := notice.New(store, mailer, render, mutes, now).Send(t.Context(), tt.id, tt.epoch)
			if err != nil || got != (notice.Result{}) || len(mailer.letters) != 0 {
				t.Errorf("Send = %v, %v with %d letters, want nothing done", got, err, len(mailer.letters))
			}
		})
	}
}

// Eight tries are spread over about a day.
func TestService_Send_triesForADay(t *testing.T) {
	store, mailer := newFakeStore(t, 0), &fakeMailer{err: fault.New(fault.Unavailable, "away")}
	at := t0
	service := notice.New(store, mailer, render, mutes, func() time.Time { return at })
	for store.state == notice.Waiting {
		result, err := service.Send(t.Context(), "mail_1", store.epoch)
		if err != nil || result.Attempts > 8 {
			t.Fatalf("Send = %+v, %v", result, err)
		}
		store.mail.Attempts = result.Attempts
		if result.State == notice.Waiting {
			at = result.NextAt
		}
	}
	if store.state != notice.Failed || len(mailer.letters) != notice.MaxTries {
		t.Errorf("state %s after %d tries, want failed after %d", store.state, len(mailer.letters), notice.MaxTries)
	}
	if took := at.Sub(t0); took < 22*time.Hour || took > 26*time.Hour {
		t.Errorf("the last try came after %v, want about a day", took)
	}
}

// A worker that is told to stop while it sends gives the mail back at once, and the try does
// not count.
func TestService_Send_shutdown(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	store := newFakeStore(t, 7)
	mailer := &fakeMailer{err: fault.New(fault.Unavailable, "given up while waiting"), onSend: cancel}
	got, err := notice.New(store, mailer, render, mutes, now).Send(ctx, "mail_1", 1)
	want := notice.Result{Case: notice.CaseTopUp, State: notice.Waiting, Attempts: 7, NextAt: t0, Reason: "given up while waiting"}
	if err != nil || got != want || store.state != notice.Waiting {
		t.Errorf("Send = %+v, %v, want %+v", got, err, want)
	}
}

// A mail that went out while the worker was told to stop is recorded as sent.
func TestService_Send_recordsWhileShuttingDown(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	store := newFakeStore(t, 0)
	got, err := notice.New(store, &fakeMailer{onSend: cancel}, render, mutes, now).Send(ctx, "mail_1", 1)
	if err != nil || got.State != notice.Sent || store.state != notice.Sent {
		t.Errorf("Send = %+v, %v, want sent", got, err)
	}
}

func TestService_Send_cannotRender(t *testing.T) {
	broken := func(context.Context, notice.Data, string) (notice.Mail, error) {
		return notice.Mail{}, errors.New("no such template")
	}
	tests := map[string]struct {
		render notice.Render
		change func(*fakeStore)
		says   string
	}{
		"template broken": {broken, func(*fakeStore) {}, "no such template"},
		"case unknown":    {render, func(s *fakeStore) { s.mail.Case = "birthday" }, "birthday"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			store, mailer := newFakeStore(t, 0), &fakeMailer{}
			tt.change(store)
			got, err := notice.New(store, mailer, tt.render, mutes, now).Send(t.Context(), "mail_1", 1)
			if err != nil || got.State != notice.Waiting || !strings.Contains(got.Reason, tt.says) || len(mailer.letters) != 0 {
				t.Errorf("Send = %+v, %v with %d letters, want it to wait and say %q", got, err, len(mailer.letters), tt.says)
			}
		})
	}
}

func TestService_Send_storeFails(t *testing.T) {
	store := newFakeStore(t, 0)
	store.claimErr = errors.New("database is away")
	_, err := notice.New(store, &fakeMailer{}, render, mutes, now).Send(t.Context(), "mail_1", 1)
	if !errors.Is(err, store.claimErr) || !strings.Contains(err.Error(), "mail_1") {
		t.Errorf("Send error = %v, want it to wrap the store's and name the mail", err)
	}
}
