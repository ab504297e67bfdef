package store

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log"
	"net"
	netmail "net/mail"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/malgil/malgil/internal/mail"
	"github.com/malgil/malgil/internal/notice"
	"github.com/malgil/malgil/internal/testserver"
	"github.com/malgil/malgil/templates"
)

// letterbox is an SMTP server that takes every letter and keeps none.
type letterbox struct{ letters atomic.Int64 }

func (l *letterbox) NewSession(*smtp.Conn) (smtp.Session, error) { return letterboxSession{l}, nil }

type letterboxSession struct{ *letterbox }

func (letterboxSession) Reset()                               {}
func (letterboxSession) Logout() error                        { return nil }
func (letterboxSession) Mail(string, *smtp.MailOptions) error { return nil }
func (letterboxSession) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (l letterboxSession) Data(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	l.letters.Add(1)
	return err
}

// BenchmarkMail sends mails as the mail pool does: claimed from their rows, rendered, handed to a
// server over few connections, and recorded. Its time is that of 10,000 mails.
func BenchmarkMail(b *testing.B) {
	const mails, workers = 10_000, 8
	databases := map[string]func(testing.TB) string{
		"sqlite":   sqliteAddress,
		"postgres": func(t testing.TB) string { return testserver.PostgresCopy(t, migrate) },
	}
	for name, address := range databases {
		b.Run(name, func(b *testing.B) {
			s := openTest(b, address(b))
			newWallet(b, s, "wal_1", 1_000)
			newAccount(b, s, "acc_1")
			exec(b, s, `INSERT INTO wallet_member (wallet_id, account_id, role) VALUES ('wal_1', 'acc_1', 'master')`)
			box := &letterbox{}
			server := smtp.NewServer(box)
			server.ErrorLog = log.New(io.Discard, "", 0)
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			go func() { _ = server.Serve(listener) }() // ends with Close
			b.Cleanup(func() { _ = server.Close() })
			sender := mail.New(mail.Config{Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, Security: mail.Clear, From: netmail.Address{Address: "no-reply@malgil.example"}})
			b.Cleanup(sender.Close)
			render := func(_ context.Context, d notice.Data, mute string) (notice.Mail, error) {
				return templates.Render(d, "", mute)
			}
			service := notice.New(s, sender, render, notice.NewMuteLinks("https://malgil.example", []byte("secret")), func() time.Time { return t0 })
			round, peak := 0, uint64(0)
			for b.Loop() {
				b.StopTimer()
				round++
				writeMails(b, s, round, mails)
				rows, err := s.Stamp(b.Context(), WorkMail, t0, mails)
				if err != nil || len(rows) != mails {
					b.Fatalf("%d mails wait, %v, want %d", len(rows), err, mails)
				}
				b.StartTimer()
				next := make(chan int)
				var group sync.WaitGroup
				for range workers {
					group.Go(func() {
						for i := range next {
							if r, err := service.Send(b.Context(), rows[i].ID, rows[i].Epoch); err != nil || r.State != notice.Sent {
								b.Errorf("Send(%s) = %+v, %v, want it sent", rows[i].ID, r, err)
							}
						}
					})
				}
				for i := range rows {
					if i%1_000 == 0 {
						var m runtime.MemStats
						runtime.ReadMemStats(&m)
						peak = max(peak, m.HeapAlloc)
					}
					next <- i
				}
				close(next)
				group.Wait()
			}
			if got := box.letters.Load(); got != int64(round*mails) {
				b.Errorf("the server took %d letters, want %d", got, round*mails)
			}
			b.ReportMetric(float64(mails*round)/b.Elapsed().Seconds(), "mails/s")
			b.ReportMetric(float64(peak)/(1<<20), "MiB-heap")
		})
	}
}

func writeMails(b *testing.B, s *Store, round, n int) {
	b.Helper()
	err := s.inTx(b.Context(), func(tx *sql.Tx) error {
		for i := range n {
			err := insertNotices(b.Context(), tx, notice.Event{WalletID: "wal_1", Subject: fmt.Sprintf("cko_%d_%d", round, i), At: t0, Data: notice.TopUp{
				WalletName: "한빛서점", Amount: notice.Amount{Supply: 100_000, VAT: 10_000, Total: 110_000}, Method: "카카오페이 신한카드", Balance: 100_000, PaidAt: t0,
			}})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
