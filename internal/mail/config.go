// Package mail hands letters to an SMTP server.
package mail

import (
	"crypto/x509"
	"net"
	netmail "net/mail"
	"net/url"
	"strconv"
	"strings"

	"github.com/malgil/malgil/internal/fault"
)

// Security says how a connection is protected.
type Security string

// How a connection is protected. Only a server on loopback may go without.
const (
	STARTTLS Security = "starttls" // begins in clear text and must change to TLS
	TLS      Security = "tls"      // TLS from the first byte
	Clear    Security = "none"
)

var defaultPorts = map[Security]int{STARTTLS: 587, TLS: 465, Clear: 25}

// Config tells where and as whom mails are sent.
type Config struct {
	Host     string
	Port     int
	Security Security
	User     string // empty to send without signing in
	Password string
	From     netmail.Address // also gives the host in Message-IDs

	RootCAs *x509.CertPool // nil for those of the machine
}

const form = "smtp://user:password@host:587?tls=starttls|tls|none&from=address"

// ParseConfig reads an address such as
//
//	smtp://user:password@smtp.example.com:587?tls=starttls&from=no-reply@example.com
//
// tls is starttls when not given, from is required and may carry a name ("말길 <no-reply@…>",
// escaped as in every URL), user and password are optional. The Invalid error lists everything
// that is wrong and never shows the password.
func ParseConfig(address string) (Config, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "smtp" || u.Hostname() == "" {
		return Config{}, fault.New(fault.Invalid, "the mail server is not of the form %s", form)
	}
	c := Config{Host: u.Hostname(), User: u.User.Username(), Security: STARTTLS}
	c.Password, _ = u.User.Password()
	var wrong []string
	if u.Path != "" && u.Path != "/" || u.Fragment != "" {
		wrong = append(wrong, "something stands after the host; escape # and / in user and password")
	}
	if (c.User == "") != (c.Password == "") {
		wrong = append(wrong, "user and password go together")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		wrong = append(wrong, "what follows the question mark is not readable")
	}
	for name, values := range query {
		switch {
		case name != "tls" && name != "from":
			wrong = append(wrong, "there is no setting "+strconv.Quote(name)+", only tls and from")
		case len(values) > 1:
			wrong = append(wrong, name+" is given more than once")
		}
	}
	if given := query.Get("tls"); given != "" {
		c.Security = Security(given)
	}
	port, known := defaultPorts[c.Security]
	switch {
	case !known:
		wrong = append(wrong, "tls is "+strconv.Quote(string(c.Security))+", want starttls, tls or none")
	case c.Security == Clear && !loopback(c.Host):
		wrong = append(wrong, "tls=none is for a server on loopback; use starttls or tls for "+c.Host)
	}
	c.Port = port
	if given := u.Port(); given != "" {
		if c.Port, err = strconv.Atoi(given); err != nil || c.Port < 1 || c.Port > 65535 {
			wrong = append(wrong, "the port is not between 1 and 65535")
		}
	}
	from, err := netmail.ParseAddress(query.Get("from"))
	switch {
	case query.Get("from") == "":
		wrong = append(wrong, "from is missing: the address that mails come from")
	case err != nil || !ascii(from.Address):
		wrong = append(wrong, "from is not a mail address")
	default:
		c.From = *from
	}
	if len(wrong) > 0 {
		return Config{}, fault.New(fault.Invalid, "the mail server is not of the form %s: %s", form, strings.Join(wrong, "; "))
	}
	return c, nil
}

// String returns the address of the server with the password as ***.
func (c Config) String() string {
	u := url.URL{Scheme: "smtp", Host: net.JoinHostPort(c.Host, strconv.Itoa(c.Port))}
	signIn := ""
	if c.User != "" {
		signIn = url.User(c.User).String() + ":***@"
	}
	query := url.Values{"tls": {string(c.Security)}, "from": {c.From.String()}}
	return u.Scheme + "://" + signIn + u.Host + "?" + query.Encode()
}

// GoString and MarshalText are [Config.String], so that neither a format verb nor a log shows
// the password.
func (c Config) GoString() string { return c.String() }

// MarshalText returns what [Config.String] does.
func (c Config) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// domain is the host part of the address that mails come from.
func (c Config) domain() string {
	return c.From.Address[strings.LastIndexByte(c.From.Address, '@')+1:]
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func ascii(text string) bool {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}
