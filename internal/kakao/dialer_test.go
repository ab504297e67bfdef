package kakao

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/malgil/malgil/internal/fault"
)

func TestGuard_Check(t *testing.T) {
	wide := Guard{Loopback: true}
	own := Guard{Hosts: []string{".kakaoenterprise.com", "skill.hanbit.example"}}
	house := Guard{AnyHost: true, Private: []string{"10.0.0.7", ".corp.example", "10.0.0.8:8080"}}
	tests := map[string]struct {
		guard   Guard
		address string
		allowed bool
	}{
		"Kakao's callback":          {Guard{}, "https://bot-api.kakao.com/v1/bots/b!/callback/t", true},
		"capitals and a final dot":  {Guard{}, "https://Bot-API.Kakao.com./x", true},
		"plain http":                {Guard{}, "http://bot-api.kakao.com/x", false},
		"the bare domain":           {Guard{}, "https://kakao.com/x", false},
		"only the dot":              {Guard{}, "https://.kakao.com/x", false},
		"a look-alike":              {Guard{}, "https://evilkakao.com/x", false},
		"as a subdomain of another": {Guard{}, "https://bot-api.kakao.com.evil.example/x", false},
		"in the user name":          {Guard{}, "https://bot-api.kakao.com@evil.example/x", false},
		"with a user name":          {Guard{}, "https://u:p@bot-api.kakao.com/x", false},
		"an address":                {Guard{}, "https://169.254.169.254/latest", false},
		"loopback":                  {Guard{}, "https://127.0.0.1/x", false},
		"a file":                    {Guard{}, "file:///etc/passwd", false},
		"no URL":                    {Guard{}, "::", false},
		"nothing":                   {Guard{}, "", false},
		"opaque":                    {Guard{}, "https:bot-api.kakao.com", false},
		"loopback when widened":     {wide, "http://127.0.0.1:8080/x", true},
		"localhost when widened":    {wide, "http://localhost:8080/x", true},
		"IPv6 when widened":         {wide, "http://[::1]:8080/x", true},
		"Kakao when widened":        {wide, "https://bot-api.kakao.com/x", true},
		"http to Kakao, widened":    {wide, "http://bot-api.kakao.com/x", false},
		"private when widened":      {wide, "http://10.0.0.1/x", false},
		"ftp when widened":          {wide, "ftp://127.0.0.1/x", false},
		"a host of one's own":       {own, "https://api.kakaoenterprise.com/x", true},
		"exactly one host":          {own, "https://skill.hanbit.example/x", true},
		"below exactly one host":    {own, "https://a.skill.hanbit.example/x", false},
		"any host":                  {Guard{AnyHost: true}, "https://shop.example:8443/hook", true},
		"any host, plain http":      {Guard{AnyHost: true}, "http://shop.example/hook", false},
		"any public address":        {Guard{AnyHost: true}, "https://8.8.8.8/hook", true},
		"no private address":        {Guard{AnyHost: true}, "https://192.168.0.1/hook", false},
		"no address of one's own":   {Guard{AnyHost: true}, "https://[::1]/hook", false},
		"none inside an IPv6":       {Guard{AnyHost: true}, "https://[::ffff:10.0.0.1]/hook", false},
		"a private host":            {house, "http://skill.corp.example/x", true},
		"a private address":         {house, "http://10.0.0.7/x", true},
		"its usual port":            {house, "https://10.0.0.7:443/x", true},
		"another port of it":        {house, "https://10.0.0.7:6379/x", false},
		"the port that is named":    {house, "http://10.0.0.8:8080/x", true},
		"beside the port":           {house, "https://10.0.0.8/x", false},
		"not every private address": {house, "https://10.0.0.9/x", false},
		"beside a private host":     {house, "http://corp.example/x", false},
		"ftp to a private host":     {house, "ftp://skill.corp.example/x", false},
		"own hosts replace Kakao's": {own, "https://bot-api.kakao.com/x", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := tt.guard.Check(tt.address)
			if (err == nil) != tt.allowed || (err != nil && fault.KindOf(err) != fault.Refused) {
				t.Errorf("Check(%q) = %v, want allowed %v", tt.address, err, tt.allowed)
			}
		})
	}
}

func TestIsPublic(t *testing.T) {
	tests := map[string]bool{
		"203.104.0.1": true, "8.8.8.8": true, "2404:4600::1": true,
		"127.0.0.1": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.0.1": false,
		"169.254.169.254": false, "100.64.0.1": false, "0.0.0.0": false, "224.0.0.1": false,
		"255.255.255.255": false, "198.18.0.1": false, "203.0.113.7": false, "240.0.0.1": false,
		"::1": false, "::": false, "fe80::1": false, "fc00::1": false, "ff02::1": false,
		"::ffff:127.0.0.1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "2001:db8::1": false,
	}
	for address, want := range tests {
		if got := isPublic(netip.MustParseAddr(address).Unmap()); got != want {
			t.Errorf("isPublic(%s) = %v, want %v", address, got, want)
		}
	}
}

func TestIsOurs(t *testing.T) {
	tests := map[string]bool{
		"10.1.2.3": true, "192.168.0.1": true, "127.0.0.1": true, "fc00::1": true, "8.8.8.8": true,
		"169.254.169.254": false, "fe80::1": false, "0.0.0.0": false, "224.0.0.1": false, "100.64.0.1": false,
	}
	for address, want := range tests {
		if got := isOurs(netip.MustParseAddr(address)); got != want {
			t.Errorf("isOurs(%s) = %v, want %v", address, got, want)
		}
	}
}

// nameServer answers A queries with its addresses, one after the other, the last one for ever.
func nameServer(t *testing.T, addresses ...string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	var asked atomic.Int64
	go func() {
		buf := make([]byte, 1024)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return // closed at the end of the test
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil {
				continue
			}
			m.Response, m.Authoritative, m.Additionals = true, true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				i := min(int(asked.Add(1)), len(addresses)) - 1
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
					Body:   &dnsmessage.AResource{A: netip.MustParseAddr(addresses[i]).As4()},
				}}
			}
			if answer, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// A name that resolved well once and to our own network the next time gains nothing.
func TestGuard_rebinding(t *testing.T) {
	victim, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer victim.Close()
	_, port, _ := net.SplitHostPort(victim.Addr().String())
	good, err := net.Listen("tcp", net.JoinHostPort("127.0.0.2", port)) // stands for a public address
	if err != nil {
		t.Skipf("no second loopback address: %v", err)
	}
	defer good.Close()

	g := Guard{Resolver: nameServer(t, "127.0.0.2", "127.0.0.1")}
	dialer := g.dialer(func(ip netip.Addr) bool { return ip == netip.MustParseAddr("127.0.0.2") })
	first, err := dialer.DialContext(t.Context(), "tcp4", "bot-api.kakao.com:"+port)
	if err != nil {
		t.Fatalf("dial of a permitted address = %v, want a connection", err)
	}
	_ = first.Close()
	second, err := dialer.DialContext(t.Context(), "tcp4", "bot-api.kakao.com:"+port)
	if err == nil {
		_ = second.Close()
	}
	if fault.KindOf(err) != fault.Refused {
		t.Errorf("dial after the name moved = %v, want Refused", err)
	}
}

func TestGuard_Client_refusesANameOfOurNetwork(t *testing.T) {
	touched := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { touched <- struct{}{} }))
	defer server.Close()
	for _, address := range []string{"127.0.0.1", "10.9.8.7", "169.254.169.254"} {
		for _, guard := range []Guard{{}, {Loopback: true}} {
			guard.Resolver = nameServer(t, address)
			url := strings.Replace(server.URL, "http://127.0.0.1", "https://bot-api.kakao.com", 1)
			res, err := guard.Client().Get(url)
			if err == nil {
				_ = res.Body.Close()
			}
			if fault.KindOf(err) != fault.Refused {
				t.Errorf("Get of a name for %s, loopback %v = %v, want Refused", address, guard.Loopback, err)
			}
		}
	}
	if len(touched) > 0 {
		t.Error("the server behind the name was called")
	}
}

// Nothing but the named port of a private host is connected to.
func TestGuard_Client_privatePort(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	name, port, _ := strings.Cut(host, ":")
	for private, allowed := range map[string]bool{host: true, name: false, name + ":1": false} {
		guard := Guard{AnyHost: true, Private: []string{private}}
		answer, err := guard.Client().Get(server.URL)
		if err == nil {
			_ = answer.Body.Close()
		}
		if (err == nil) != allowed {
			t.Errorf("a call of port %s with the private host %s = %v, want allowed %v", port, private, err, allowed)
		}
		conn, err := guard.dial(t.Context(), "tcp", host)
		if err == nil {
			_ = conn.Close()
		}
		if (err == nil) != allowed {
			t.Errorf("a dial to port %s with the private host %s = %v, want allowed %v", port, private, err, allowed)
		}
	}
}

func TestGuard_Client_usesNoProxy(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	transport := Guard{}.Client().Transport.(guarded).inner
	if transport.Proxy != nil {
		t.Error("the guarded transport has a proxy, want none")
	}
}
