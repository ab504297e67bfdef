package mail

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	netmail "net/mail"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// server is a real SMTP server on loopback whose answers a test sets.
type server struct {
	t      *testing.T
	config Config
	smtp   *smtp.Server

	onMail func(from string) error
	onRcpt func(to string) error
	onData func(c *smtp.Conn, letter io.Reader) error // after the receiver; nil keeps the letter

	mu       sync.Mutex
	letters  []received
	sessions int           // opened so far; STARTTLS begins one anew
	open     int           // open now
	peak     int           // most letters in transmission at once
	busy     int           // letters in transmission
	left     chan struct{} // one for each session that ended
}

type received struct {
	from, to, user string
	encrypted      bool
	body           []byte
}

// startServer starts a server that takes a user "malgil" with password "hunter2" when the
// connection is encrypted, or always on Clear.
func startServer(t *testing.T, security Security, change func(*server)) *server {
	t.Helper()
	s := &server{t: t, left: make(chan struct{}, 100)}
	if change != nil {
		change(s)
	}
	s.smtp = smtp.NewServer(s)
	s.smtp.Domain = "mx.example.com"
	s.smtp.AllowInsecureAuth = security == Clear
	s.smtp.ErrorLog = log.New(io.Discard, "", 0)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().(*net.TCPAddr)
	s.config = Config{
		Host: "127.0.0.1", Port: address.Port, Security: security, User: "malgil", Password: "hunter2",
		From: netmail.Address{Name: "말길", Address: "no-reply@malgil.example.com"},
	}
	if security != Clear {
		certificate, roots := newCertificate(t)
		s.smtp.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
		s.config.RootCAs = roots
	}
	if security == TLS {
		listener = tls.NewListener(listener, s.smtp.TLSConfig)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.smtp.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = s.smtp.Close()
		_ = listener.Close() // Serve may not have known it yet
		<-done
	})
	return s
}

// newSender returns a sender to this server with waits short enough for a test.
func (s *server) newSender(change func(*timeouts)) *Sender {
	limits := timeouts{dial: 10 * time.Second, command: 10 * time.Second, content: 10 * time.Second, dot: 10 * time.Second, idle: time.Minute}
	if change != nil {
		change(&limits)
	}
	sender := newSender(s.config, limits)
	s.t.Cleanup(sender.Close)
	return sender
}

func (s *server) got() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]received(nil), s.letters...)
}

func (s *server) opened() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions
}

func (s *server) NewSession(c *smtp.Conn) (smtp.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions++
	s.open++
	return &session{server: s, conn: c}, nil
}

type session struct {
	server *server
	conn   *smtp.Conn
	letter received
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "malgil" || password != "hunter2" {
			return smtp.ErrAuthFailed
		}
		s.letter.user = user
		return nil
	}), nil
}

func (s *session) Reset() { s.letter = received{user: s.letter.user} }

func (s *session) Logout() error {
	s.server.mu.Lock()
	s.server.open--
	s.server.mu.Unlock()
	s.server.left <- struct{}{}
	return nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.server.onMail != nil {
		if err := s.server.onMail(from); err != nil {
			return err
		}
	}
	_, s.letter.encrypted = s.conn.TLSConnectionState()
	s.letter.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.letter.to = to
	if s.server.onRcpt != nil {
		return s.server.onRcpt(to)
	}
	return nil
}

func (s *session) Data(letter io.Reader) error {
	s.server.mu.Lock()
	s.server.busy++
	s.server.peak = max(s.server.peak, s.server.busy)
	s.server.mu.Unlock()
	defer func() {
		s.server.mu.Lock()
		s.server.busy--
		s.server.mu.Unlock()
	}()
	if s.server.onData != nil {
		if err := s.server.onData(s.conn, letter); err != nil {
			return err
		}
	}
	body, err := io.ReadAll(letter)
	if err != nil {
		return err
	}
	s.letter.body = body
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.letters = append(s.server.letters, s.letter)
	return nil
}

// newCertificate returns a certificate for 127.0.0.1 and the roots that trust it.
func newCertificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mx.example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, roots
}

// silentPort listens and says nothing. Each connection is told on accepted.
func silentPort(t *testing.T, accepted chan<- struct{}) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
			accepted <- struct{}{}
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}
