package mail

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

func TestProbe(t *testing.T) {
	tests := map[string]struct {
		security Security
		change   func(*Config)
		want     string // in the error; empty for none
	}{
		"without TLS":                      {security: Clear},
		"with STARTTLS":                    {security: STARTTLS},
		"with TLS":                         {security: TLS},
		"without signing in":               {security: STARTTLS, change: func(c *Config) { c.User, c.Password = "", "" }},
		"a wrong password":                 {security: STARTTLS, change: func(c *Config) { c.Password = "hunter3" }, want: "did not let us in: 535"},
		"a wrong password over TLS":        {security: TLS, change: func(c *Config) { c.Password = "hunter3" }, want: "did not let us in: 535"},
		"a certificate of nobody":          {security: STARTTLS, change: func(c *Config) { c.RootCAs = nil }, want: "its certificate is not trusted"},
		"a certificate of nobody over TLS": {security: TLS, change: func(c *Config) { c.RootCAs = nil }, want: "its certificate is not trusted"},
		"a certificate of another host":    {security: STARTTLS, change: func(c *Config) { c.Host = "localhost" }, want: "its certificate is not trusted"},
		"STARTTLS where it is not offered": {security: Clear, change: func(c *Config) { c.Security = STARTTLS }, want: "could not be reached"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := startServer(t, tt.security, nil)
			config := server.config
			if tt.change != nil {
				tt.change(&config)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			err := Probe(ctx, config)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("Probe error = %v, want nil", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("Probe error = %v, want in it %q", err, tt.want)
			case err != nil && (fault.KindOf(err) != fault.Unavailable || strings.Contains(err.Error(), "hunter")):
				t.Errorf("Probe error = %s %v, want Unavailable and no password", fault.KindOf(err), err)
			}
			if letters := server.got(); len(letters) > 0 {
				t.Errorf("Probe sent %d letters, want none", len(letters))
			}
		})
	}
}

// A server that says nothing is waited for as long as the context goes on.
func TestProbe_silence(t *testing.T) {
	server := startServer(t, Clear, nil)
	config := server.config
	config.Port = silentPort(t, make(chan struct{}, 1))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := Probe(ctx, config); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Probe of a silent server = %v, want Unavailable", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config.Port = listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close()
	if err := Probe(t.Context(), config); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Probe where nobody listens = %v, want Unavailable", err)
	}
}
