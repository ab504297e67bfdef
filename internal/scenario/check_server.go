package scenario

import (
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/malgil/malgil/internal/kakao"
)

// server checks a skill server. Where its name leads is looked at again at every call.
func (k *checker) server(path string, s Server) {
	if s.Name == "" || len(s.Name) > maxID || strings.ContainsFunc(s.Name, notOfID) {
		k.add(path+".name", "must be 1 to %d letters, digits, - and _", maxID)
	} else {
		k.once(path+".name", "server ", s.Name)
		k.servers[s.Name] = true
	}
	k.serverURL(path+".url", s.URL)
	if !k.most(path+".headers", len(s.Headers), maxHeaders) {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		k.header(path+".headers."+name, name, s.Headers[name])
	}
}

func (k *checker) serverURL(path, address string) {
	u, err := url.Parse(address)
	switch {
	case address == "":
		k.add(path, "is missing")
		return
	case len(address) > maxURL:
		k.add(path, "must be at most %d bytes", maxURL)
		return
	case err != nil || u.Hostname() == "":
		k.add(path, "must be an https address")
		return
	case u.User != nil:
		k.add(path, "holds a name or password, which everybody who sees the bot could read; calls are signed instead")
	case u.RawQuery != "" || u.Fragment != "":
		k.add(path, "must end before ? and #; the path of a webhook is added to it")
	}
	switch {
	case k.rules.HTTPLoopback && loopback(u.Hostname()) && (u.Scheme == "http" || u.Scheme == "https"), kakao.LeadsTo(k.rules.HTTPHosts, u):
	case u.Scheme != "https":
		k.add(path, "must be an https address")
	case kakao.IsOwnHost(u.Hostname()):
		k.add(path, "leads to no public address, so it is never called; MALGIL_SKILL_PRIVATE_HOSTS lists hosts of your own network")
	}
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// ownHeaders are set by Malgil, or belong to the connection.
var ownHeaders = []string{"accept-encoding", "connection", "content-length", "content-type", "expect", "host", "keep-alive",
	"te", "trailer", "transfer-encoding", "upgrade", "user-agent"}

func (k *checker) header(path, name, value string) {
	small := strings.ToLower(name)
	switch {
	case name == "" || len(name) > maxID || strings.ContainsFunc(name, notOfID):
		k.add(path, "must have a name of at most %d letters, digits, - and _", maxID)
	case slices.Contains(ownHeaders, small) || strings.HasPrefix(small, "x-malgil-") || strings.HasPrefix(small, "proxy-"):
		k.add(path, "is a header that Malgil sets itself; leave it out")
	case len(value) > maxURL || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }):
		k.add(path, "must be at most %d printable ASCII characters", maxURL)
	default:
		k.once(path, path[:len(path)-len(name)], small)
	}
}

// webhook checks how a block calls a server.
func (k *checker) webhook(path string, w Webhook) {
	switch {
	case w.Server == "":
		k.add(path+".server", "is missing; it is the name of one of the servers")
	case !k.servers[w.Server] && !k.rules.NoServers:
		k.add(path+".server", "names %q, which is none of the servers of the bot", w.Server)
	}
	switch u, err := url.Parse(w.Path); {
	case w.Path == "":
	case len(w.Path) > maxURL || err != nil || u.IsAbs() || u.Host != "" || u.Fragment != "" || !strings.HasPrefix(w.Path, "/"):
		k.add(path+".path", "must be a path such as /skill/order, of at most %d bytes", maxURL)
	case slices.Contains(strings.Split(u.Path, "/"), ".."):
		k.add(path+".path", "must not lead upwards with ..")
	}
	if w.Fallback != nil {
		k.template(path+".fallback", *w.Fallback)
	}
}
