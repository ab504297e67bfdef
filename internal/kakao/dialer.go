package kakao

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

// Guard says which addresses of strangers may be called: URLs that arrive in requests. The
// zero value allows https to hosts under kakao.com that resolve to public addresses.
type Guard struct {
	// Hosts are those that may be called; one with a leading dot, such as ".kakao.com", stands
	// for every host below. Empty means [DefaultHosts].
	Hosts []string
	// AnyHost allows every host, for addresses that our own users give. They still have to be https and to
	// resolve to public addresses.
	AnyHost bool
	// Loopback also allows this machine, over http too: for the demo and the sandbox only.
	Loopback bool
	// Private are hosts, written as Hosts are, that are of our own network: they may resolve to private
	// addresses and this machine, and be called over http. One is meant at the ports 80 and 443, or at the
	// one that it names, as host:port.
	Private []string
	// Resolver is nil for the machine's own.
	Resolver *net.Resolver
}

// DefaultHosts are the hosts that Kakao's callback addresses were seen under.
var DefaultHosts = []string{".kakao.com"}

const (
	dialTimeout = 3 * time.Second
	tlsTimeout  = 5 * time.Second
)

// Check reports whether an address may be called, by its text alone; a Refused error says why
// not, without quoting it. The addresses behind the name are looked at when dialling.
func (g Guard) Check(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Opaque != "" {
		return fault.New(fault.Refused, "the address is not a URL with a host")
	}
	if u.User != nil {
		return fault.New(fault.Refused, "the address carries a user name")
	}
	if g.Loopback && isLoopbackHost(u.Hostname()) && (u.Scheme == "http" || u.Scheme == "https") {
		return nil
	}
	if LeadsTo(g.Private, u) {
		return nil
	}
	if u.Scheme != "https" {
		return fault.New(fault.Refused, "the address is not https")
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !isPublic(ip.Unmap().WithZone("")) {
		return fault.New(fault.Refused, "the address is not public")
	}
	if !g.AnyHost && !g.allowsHost(u.Hostname()) {
		return fault.New(fault.Refused, "the host of the address is not on the list of allowed hosts")
	}
	return nil
}

func (g Guard) allowsHost(host string) bool {
	if len(g.Hosts) == 0 {
		return matchesHost(DefaultHosts, host)
	}
	return matchesHost(g.Hosts, host)
}

// matchesHost reports whether a host is on a list, or below one with a leading dot.
func matchesHost(hosts []string, host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, allowed := range hosts {
		allowed = strings.ToLower(allowed)
		below := strings.HasPrefix(allowed, ".")
		if (!below && host == allowed) || (below && strings.HasSuffix(host, allowed) && len(host) > len(allowed)) {
			return true
		}
	}
	return false
}

// LeadsTo reports whether an address, http or https, leads to one of some hosts, written as [Guard.Private]
// has them.
func LeadsTo(hosts []string, u *url.URL) bool {
	usual, is := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	return is && matchesAddress(hosts, u.Hostname(), cmp.Or(u.Port(), usual))
}

func matchesAddress(hosts []string, host, port string) bool {
	return slices.ContainsFunc(hosts, func(allowed string) bool {
		name, only, given := strings.Cut(allowed, ":")
		return matchesHost([]string{name}, host) && (given && port == only || !given && (port == "80" || port == "443"))
	})
}

func isLoopbackHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && ip.Unmap().IsLoopback())
}

// IsOwnHost reports whether a host is, by how it is written, none that the public network leads to: this machine, or a
// literal address that is not public. What any other name leads to is known when it is dialled.
func IsOwnHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") || err == nil && !isPublic(ip.Unmap().WithZone(""))
}

// Client returns an HTTP client that follows no redirect, uses no proxy, calls what [Guard.Check]
// allows, and looks at every address at the moment it connects to it, so that a name which
// resolves to something else the second time gains nothing. Each call opens its own connection:
// one kept open may be closed by the peer while a request is written, and then nobody knows
// whether it arrived. The client sets no deadline of its own.
func (g Guard) Client() *http.Client {
	transport := g.transport()
	transport.DisableKeepAlives = true
	return g.client(transport)
}

// KeepingClient is [Guard.Client] but for connections, of which so many to a host stay open for a few
// seconds between calls: for calls that people wait for. Most servers keep them for 5 seconds or longer.
func (g Guard) KeepingClient(perHost int) *http.Client {
	transport := g.transport()
	transport.MaxIdleConnsPerHost, transport.MaxIdleConns, transport.IdleConnTimeout = perHost, 16*perHost, 4*time.Second
	return g.client(transport)
}

func (g Guard) transport() *http.Transport {
	return &http.Transport{
		DialContext:            g.dial,
		TLSHandshakeTimeout:    tlsTimeout,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 16 << 10,
	}
}

func (g Guard) client(transport *http.Transport) *http.Client {
	return &http.Client{
		Transport:     guarded{guard: g, inner: transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// guarded refuses a request before anything is resolved or dialled.
type guarded struct {
	guard Guard
	inner *http.Transport
}

// CloseIdleConnections is what [http.Client.CloseIdleConnections] asks for.
func (t guarded) CloseIdleConnections() { t.inner.CloseIdleConnections() }

func (t guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := t.guard.Check(r.URL.String()); err != nil {
		if r.Body != nil {
			_ = r.Body.Close() // the contract of RoundTripper
		}
		return nil, err
	}
	return t.inner.RoundTrip(r)
}

func (g Guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	permitted := isPublic
	switch {
	case g.Loopback && isLoopbackHost(host):
		permitted = netip.Addr.IsLoopback
	case matchesAddress(g.Private, host, port):
		permitted = isOurs
	}
	return g.dialer(permitted).DialContext(ctx, network, address)
}

// dialer connects only to addresses that are permitted, whatever the name resolved to before.
func (g Guard) dialer(permitted func(netip.Addr) bool) *net.Dialer {
	return &net.Dialer{
		Timeout:  dialTimeout,
		Resolver: g.Resolver,
		ControlContext: func(_ context.Context, _, resolved string, _ syscall.RawConn) error {
			target, err := netip.ParseAddrPort(resolved)
			if err != nil {
				return fmt.Errorf("read the resolved address: %w", err)
			}
			if !permitted(target.Addr().Unmap().WithZone("")) {
				return fault.New(fault.Refused, "the host resolves to an address that is not public")
			}
			return nil
		},
	}
}

// notPublic are ranges that netip does not name (IANA special-purpose registries), among them
// those that carry an IPv4 address inside.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"), // shared by carriers
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), // documentation
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"),
	netip.MustParsePrefix("64:ff9b::/96"), // NAT64
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"), // Teredo and others
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"), // 6to4
	netip.MustParsePrefix("fec0::/10"),
}

// isOurs permits what a host of our own network may resolve to.
func isOurs(ip netip.Addr) bool { return ip.IsPrivate() || ip.IsLoopback() || isPublic(ip) }

func isPublic(ip netip.Addr) bool {
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return false
	}
	for _, prefix := range notPublic {
		if prefix.Contains(ip) {
			return false
		}
	}
	return true
}
