package workers_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/notice"
	"github.com/malgil/malgil/tasks"
	"github.com/malgil/malgil/workers"
)

// oneMail is a store with one mail that waits in epoch 3, and a mailer.
type oneMail struct {
	state   notice.State
	sendErr error
	dbErr   error
	letters []notice.Letter
	counted []string
}

func (m *oneMail) Mailed(mailCase, outcome string) {
	m.counted = append(m.counted, mailCase+" "+outcome)
}

func (m *oneMail) ClaimMail(_ context.Context, id string, epoch int, _, _ time.Time) (notice.Claim, bool, error) {
	if m.dbErr != nil || id != "mail_1" || epoch != 3 || m.state != notice.Waiting {
		return notice.Claim{}, false, m.dbErr
	}
	m.state = notice.Sending
	return notice.Claim{ID: id, Case: notice.CaseTopUp, Data: []byte(`{}`), To: notice.Receiver{Address: "kim@example.com"}}, true, nil
}

func (m *oneMail) RecordMail(_ context.Context, _ string, _ int, _ time.Time, r notice.Result) error {
	m.state = r.State
	return nil
}

func (m *oneMail) Send(_ context.Context, l notice.Letter) error {
	m.letters = append(m.letters, l)
	return m.sendErr
}

func (m *oneMail) handler(log *bytes.Buffer) asynq.Handler {
	render := func(context.Context, notice.Data, string) (notice.Mail, error) {
		return notice.Mail{Subject: "충전"}, nil
	}
	return workers.SendMail(notice.New(m, m, render, notice.MuteLinks{}, time.Now), m, slog.New(slog.NewJSONHandler(log, nil)))
}

func TestSendMail(t *testing.T) {
	tests := map[string]struct {
		sendErr   error
		wantState notice.State
		wantLog   string // part of a line, or nothing
	}{
		"sent":    {nil, notice.Sent, ""},
		"waits":   {fault.New(fault.Throttled, "450 kim@example.com is busy"), notice.Waiting, ""},
		"bounced": {fault.New(fault.Refused, "550 kim@example.com unknown"), notice.Bounced, `"mail_id":"mail_1","state":"bounced","attempt":1`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			mail, log := &oneMail{state: notice.Waiting, sendErr: tt.sendErr}, new(bytes.Buffer)
			if err := mail.handler(log).ProcessTask(t.Context(), tasks.NewSendMail(tasks.Row{ID: "mail_1", Epoch: 3})); err != nil {
				t.Fatalf("ProcessTask error = %v, want nil", err)
			}
			if mail.state != tt.wantState || len(mail.letters) != 1 {
				t.Errorf("the mail is %s after %d letters, want %s after 1", mail.state, len(mail.letters), tt.wantState)
			}
			if want := "topup " + string(tt.wantState); len(mail.counted) != 1 || mail.counted[0] != want {
				t.Errorf("counted %q, want %q", mail.counted, want)
			}
			if (tt.wantLog == "") != (log.Len() == 0) || !strings.Contains(log.String(), tt.wantLog) {
				t.Errorf("log = %q, want %q", log, tt.wantLog)
			}
			if strings.Contains(log.String(), "kim@") {
				t.Errorf("log = %q, want no address", log)
			}
		})
	}
}

func TestSendMail_runsTwice(t *testing.T) {
	mail := &oneMail{state: notice.Waiting}
	task := tasks.NewSendMail(tasks.Row{ID: "mail_1", Epoch: 3})
	for range 2 {
		if err := mail.handler(new(bytes.Buffer)).ProcessTask(t.Context(), task); err != nil {
			t.Fatalf("ProcessTask error = %v, want nil", err)
		}
	}
	if len(mail.letters) != 1 || mail.letters[0].ID != "mail_1" {
		t.Errorf("two runs of one task sent %d letters, want 1", len(mail.letters))
	}
}

func TestSendMail_failures(t *testing.T) {
	down := errors.New("database is away")
	tests := map[string]struct {
		mail     *oneMail
		task     *asynq.Task
		wantErr  error
		archived bool
	}{
		"database away comes again":      {&oneMail{dbErr: down}, tasks.NewSendMail(tasks.Row{ID: "mail_1", Epoch: 3}), down, false},
		"unreadable payload is archived": {&oneMail{}, asynq.NewTask(tasks.TypeSendMail, []byte(`{`)), asynq.SkipRetry, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := tt.mail.handler(new(bytes.Buffer)).ProcessTask(t.Context(), tt.task)
			if !errors.Is(err, tt.wantErr) || errors.Is(err, asynq.SkipRetry) != tt.archived {
				t.Errorf("ProcessTask error = %v, want %v", err, tt.wantErr)
			}
		})
	}
}
