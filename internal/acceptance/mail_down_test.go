package acceptance_test

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/apiclient"
	"github.com/malgil/malgil/internal/app"
)

// mailDoor is what malgil knows as its mail server. First nobody listens: its port is taken, so that
// connections are refused and nobody else gets it. Then it answers 450 to every receiver, or passes
// connections on to the inbox of the sandbox.
type mailDoor struct {
	t       testing.TB
	address string
	inbox   string
	socket  int
	group   sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener
	open     map[net.Conn]bool
	busy     bool
	closed   bool
}

func newMailDoor(t testing.TB, inbox string) *mailDoor {
	t.Helper()
	d := &mailDoor{t: t, inbox: inbox, open: map[net.Conn]bool{}}
	var err error
	if d.socket, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0); err != nil {
		t.Fatal(err)
	}
	syscall.CloseOnExec(d.socket)
	if err := syscall.Bind(d.socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(d.socket)
	if err != nil {
		t.Fatal(err)
	}
	d.address = fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	t.Cleanup(d.close)
	return d
}

// answer begins to listen, answering 450 to every receiver.
func (d *mailDoor) answer() {
	d.t.Helper()
	if err := syscall.Listen(d.socket, 16); err != nil {
		d.t.Fatal(err)
	}
	file := os.NewFile(uintptr(d.socket), "the door of the mail server")
	listener, err := net.FileListener(file)
	if err != nil {
		d.t.Fatal(err)
	}
	_ = file.Close() // the listener has a copy
	d.mu.Lock()
	d.listener, d.busy = listener, true
	d.mu.Unlock()
	d.group.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // closed
			}
			d.group.Go(func() { d.serve(client) })
		}
	})
}

// turn changes between 450 and the inbox. Connections that were kept end.
func (d *mailDoor) turn(busy bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy = busy
	for c := range d.open {
		_ = c.Close()
	}
}

func (d *mailDoor) close() {
	d.mu.Lock()
	if d.listener != nil {
		_ = d.listener.Close()
	} else {
		_ = syscall.Close(d.socket)
	}
	d.closed = true
	for c := range d.open {
		_ = c.Close()
	}
	d.mu.Unlock()
	d.group.Wait()
}

// keep notes a connection that [mailDoor.turn] ends, and says how it is to be answered.
func (d *mailDoor) keep(c net.Conn) (busy bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open[c] = true
	if d.closed {
		_ = c.Close()
	}
	return d.busy
}

func (d *mailDoor) serve(client net.Conn) {
	defer func() {
		_ = client.Close()
		d.mu.Lock()
		delete(d.open, client)
		d.mu.Unlock()
	}()
	if d.keep(client) {
		refuseReceivers(client)
		return
	}
	server, err := net.Dial("tcp", d.inbox)
	if err != nil {
		return
	}
	defer server.Close()
	d.group.Go(func() { defer server.Close(); _, _ = io.Copy(server, client) })
	_, _ = io.Copy(client, server)
}

// refuseReceivers is an SMTP server that is too busy for every mailbox.
func refuseReceivers(client net.Conn) {
	_, _ = io.WriteString(client, "220 mx.example\r\n")
	lines := bufio.NewScanner(client)
	for lines.Scan() {
		verb, _, _ := strings.Cut(strings.ToUpper(lines.Text()), " ")
		said := "250 2.0.0 OK"
		switch verb {
		case "RCPT":
			said = "450 4.2.1 the mailbox is busy"
		case "DATA":
			said = "503 5.5.1 no receiver"
		case "QUIT":
			said = "221 2.0.0 bye"
		}
		if _, err := io.WriteString(client, said+"\r\n"); err != nil || verb == "QUIT" {
			return
		}
	}
}

// kept is a mail as its wallet's list shows it.
type kept struct {
	ID, Case, Address, State, Reason string
	Attempts                         int
}

func (h *house) keptMails() (all []kept) {
	h.t.Helper()
	for _, s := range h.shops {
		var list struct{ Items []kept }
		h.get("/api/v1/wallets/"+s.wallet+"/mails?limit=200", &list)
		all = append(all, list.Items...)
	}
	return all
}

// arrived tells how often each mail has arrived, by its Message-ID and its receiver.
func (h *house) arrived() map[string]int {
	h.t.Helper()
	var inbox struct {
		Items []struct {
			To        []string
			MessageID string `json:"message_id"`
			Problem   string
			Subject   string
		}
	}
	h.ask("/sandbox/mails", &inbox)
	count := map[string]int{}
	for _, l := range inbox.Items {
		if l.Problem != "" || l.Subject == "" || len(l.To) != 1 {
			h.t.Errorf("letter %+v cannot be read, or is not to one receiver", l)
		}
		id, _, _ := strings.Cut(strings.Trim(l.MessageID, "<>"), "@")
		count[id+" "+strings.Join(l.To, ",")]++
	}
	return count
}

// The mail server is down for nearly a day: it refuses connections, then it is busy, for an hour it cuts
// connections after the final dot, and it is busy again. What happens meanwhile is told of when it is
// back, to everybody, once; twice only where it had been cut after the dot.
func serverDownADay(t *testing.T) {
	var door *mailDoor
	h := open(t, plan{config: func(c *app.Config) {
		smtp, err := url.Parse(c.SMTP)
		if err != nil {
			t.Fatal(err)
		}
		door = newMailDoor(t, smtp.Host)
		smtp.Host = door.address
		c.SMTP = smtp.String()
	}})
	s := h.openShop(0)
	worker, botMaster := h.account("worker"), h.account("bot-master")
	s.member(worker, "worker")
	h.openBot("66a1f0c2d4b7e83f5a9c1dff", "rest-key", s.wallet, map[string]string{botMaster.id: "master"})
	poor, carded, broke := h.openShop(0), h.openShop(1), h.openShop(1)
	broke.behave("declined", broke.cards...)
	var waits broadcast

	// At ten it is down; midnight is 14 hours later, and the reminders of the next day 23 hours.
	const back = 24
	hours := map[int]func(){
		1: func() { s.topUp(100_000) },
		2: func() { s.give(3_000, 8) }, // which ends in 7 days, tomorrow
		3: func() { s.use(s.grants()[0]) },
		4: func() {
			h.do("POST", "/api/v1/wallets/"+s.wallet+"/grants", map[string]any{"kind": "paid", "amount_krw": 5_000, "reason": "발송 장애 보상"}, nil, apiclient.IdempotencyKey(rand.Text()))
		},
		5:  func() { s.refunded(s.refund(map[string]any{"amount_krw": 30_000}), "done") },
		6:  func() { door.answer() },
		8:  func() { poor.topUp(1_500); waits = poor.waits(poor.order(poor.friends(300)...), "funds") },
		10: func() { carded.deliver(100); broke.deliver(200) },
		12: func() { h.fault("smtp", "cut_after", map[string]any{"count": -1}); door.turn(false) },
		13: func() { door.turn(true); h.tell("DELETE", "/sandbox/faults?target=smtp", nil, nil) },
		16: func() { poor.topUp(5_000); poor.finish(waits) },
		23: func() { door.turn(false) },
	}
	why := map[int]string{5: "could not be reached", 11: "450 4.2.1 the mailbox is busy", 13: "did not answer after the end of the letter", 22: "450 4.2.1 the mailbox is busy"}
	cut := map[string]int{}
	for hour := range back {
		h.untilTried()
		if says := why[hour]; says != "" {
			seen := h.keptMails()
			if !slices.ContainsFunc(seen, func(m kept) bool { return m.State == "waiting" && m.Attempts > 0 && strings.Contains(m.Reason, says) }) {
				t.Fatalf("at hour %d no mail waits because the server %s: %+v", hour, says, seen)
			}
		}
		if hour == 13 {
			if cut = h.arrived(); len(cut) == 0 {
				t.Fatal("no letter was cut after its final dot")
			}
		} else if early := len(h.arrived()) - len(cut); hour < 23 && early != 0 {
			t.Errorf("at hour %d there are %d letters more than were cut, and the server is down", hour, early)
		}
		if hours[hour] != nil {
			hours[hour]()
		}
		h.advance(time.Hour)
	}
	for range 13 { // the pause before the last try, and before the next midnight
		h.untilTried()
		h.advance(time.Hour)
	}
	h.untilTried()

	want := map[string]map[string]int{
		s.master.email:      {"channel_connected": 4, "topup": 1, "free_cash_granted": 1, "paid_cash_granted": 1, "refund_done": 1, "free_cash_expiring": 1},
		worker.email:        {"channel_connected": 2, "topup": 1, "free_cash_granted": 1, "paid_cash_granted": 1, "refund_done": 1, "free_cash_expiring": 1},
		botMaster.email:     {"channel_connected": 2, "topup": 1, "free_cash_granted": 1, "paid_cash_granted": 1, "refund_done": 1, "free_cash_expiring": 1},
		poor.master.email:   {"channel_connected": 2, "topup": 2, "low_balance": 1},
		carded.master.email: {"channel_connected": 2, "auto_pay_success": 1},
		broke.master.email:  {"channel_connected": 2, "auto_pay_failure": 1, "unpaid": 1},
	}
	got := map[string]map[string]int{}
	arrived := h.arrived()
	late := 0
	for _, m := range h.keptMails() {
		if got[m.Address] == nil {
			got[m.Address] = map[string]int{}
		}
		got[m.Address][m.Case]++
		key := m.ID + " " + m.Address
		if n := arrived[key]; m.State != "sent" || n < 1 || n > 1+cut[key] {
			t.Errorf("the %s mail to %s is %s (%s) after %d tries and arrived %d times, want sent and once, or once more for %d cut", m.Case, m.Address, m.State, m.Reason, m.Attempts, n, cut[key])
		}
		if m.Attempts == 8 {
			late++
		}
		delete(arrived, key)
	}
	for address := range maps.Keys(want) {
		if !maps.Equal(got[address], want[address]) {
			t.Errorf("mails to %s = %v, want %v", address, got[address], want[address])
		}
	}
	if len(got) != len(want) || len(arrived) != 0 {
		t.Errorf("mails to %d people, want %d; letters of no mail: %v", len(got), len(want), arrived)
	}
	if late == 0 {
		t.Error("no mail needed its last try, so the server was not down for long")
	}
	if n := h.metric("malgil_mails_total", `outcome="failed"`) + h.metric("malgil_mails_total", `outcome="bounced"`); n != 0 {
		t.Errorf("%v mails were given up, want none", n)
	}
	h.balance()
}

// untilTried returns when no mail is due or being sent.
func (h *house) untilTried() {
	h.t.Helper()
	h.until("no mail is due or being sent", func() (bool, any) {
		var due []kept
		for _, m := range h.keptMails() {
			if m.State == "sending" || m.State == "waiting" && m.Attempts == 0 {
				due = append(due, m)
			}
		}
		return len(due) == 0, due
	})
}
