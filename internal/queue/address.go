package queue

import (
	"crypto/tls"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/malgil/malgil/internal/fault"
)

// Address says where Redis is: one server, a set of Sentinels or a Cluster.
// The zero value is not usable; see [ParseAddress].
type Address struct {
	scheme  string
	options redis.UniversalOptions
}

// addressForms is what an operator is told when an address cannot be read.
const addressForms = `use one of
  redis://[user:password@]host[:6379][/database]
  redis-sentinel://[user:password@]host:26379,host:26379,…/master[/database][?sentinel_username=…&sentinel_password=…]
  redis-cluster://[user:password@]host:6379,host:6379,…
with rediss, rediss-sentinel or rediss-cluster for TLS; special characters of a password are percent-encoded`

var defaultPorts = map[string]string{"redis": "6379", "redis-sentinel": "26379", "redis-cluster": "6379"}

// ParseAddress reads the value of MALGIL_REDIS. User and password are those of the Redis servers;
// Sentinels that ask for their own get them as query parameters. The error is Invalid, names no
// part of the value that may be secret, and says which forms there are.
func ParseAddress(value string) (Address, error) {
	scheme, rest, found := strings.Cut(value, "://")
	plain := strings.Replace(scheme, "rediss", "redis", 1)
	defaultPort, known := defaultPorts[plain]
	if !found || !known {
		return Address{}, invalidAddress("it does not begin with a known scheme")
	}
	// net/url reads one host only, so the list is taken out of the authority first.
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	at := strings.LastIndexByte(authority, '@')
	u, err := url.Parse(plain + "://" + authority[:at+1] + "host" + tail)
	if err != nil {
		return Address{}, invalidAddress("it is not a URL") // the cause may hold the password
	}
	addrs, err := parseHosts(authority[at+1:], defaultPort)
	if err != nil {
		return Address{}, err
	}
	a := Address{scheme: scheme, options: redis.UniversalOptions{Addrs: addrs, Username: u.User.Username()}}
	a.options.Password, _ = u.User.Password()
	if plain != scheme {
		a.options.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return a, a.parseTail(plain, u)
}

// parseTail reads what follows the hosts.
func (a *Address) parseTail(plain string, u *url.URL) (err error) {
	parts := strings.FieldsFunc(u.Path, func(r rune) bool { return r == '/' })
	switch plain {
	case "redis":
		if len(a.options.Addrs) > 1 {
			return invalidAddress("redis:// takes one host")
		}
	case "redis-cluster":
		a.options.IsClusterMode = true
		if len(parts) > 0 {
			return invalidAddress("a cluster has no databases")
		}
	case "redis-sentinel":
		if len(parts) == 0 {
			return invalidAddress("the name of the Sentinels' master is missing")
		}
		a.options.MasterName, parts = parts[0], parts[1:]
	}
	if len(parts) > 1 {
		return invalidAddress("its path has too many parts")
	}
	if len(parts) == 1 {
		if a.options.DB, err = strconv.Atoi(parts[0]); err != nil || a.options.DB < 0 {
			return invalidAddress("the database is not a number")
		}
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil || u.Fragment != "" {
		return invalidAddress("its query is not well formed")
	}
	for name := range query {
		if plain != "redis-sentinel" || !slices.Contains([]string{"sentinel_username", "sentinel_password"}, name) {
			return invalidAddress("it has a parameter that is not known here")
		}
	}
	a.options.SentinelUsername = query.Get("sentinel_username")
	a.options.SentinelPassword = query.Get("sentinel_password")
	return nil
}

// parseHosts reads host[:port],host[:port],….
func parseHosts(list, defaultPort string) ([]string, error) {
	var addrs []string
	for _, item := range strings.Split(list, ",") {
		host, port, err := net.SplitHostPort(item)
		if err != nil {
			host, port = strings.Trim(item, "[]"), defaultPort
		}
		n, err := strconv.ParseUint(port, 10, 16)
		switch {
		case host == "", strings.ContainsAny(host, "[] @"), strings.Contains(host, ":") && !strings.Contains(item, "["):
			return nil, invalidAddress("a host is missing or not well formed")
		case err != nil || n == 0:
			return nil, invalidAddress("a port is not a number between 1 and 65535")
		}
		addrs = append(addrs, net.JoinHostPort(host, port))
	}
	return addrs, nil
}

func invalidAddress(problem string) error {
	return fault.Field("MALGIL_REDIS", "is not an address of Redis: %s; %s", problem, addressForms)
}

// String returns the address without user and password, so that a formatted one shows neither.
func (a Address) String() string {
	s := a.scheme + "://" + strings.Join(a.options.Addrs, ",")
	if a.options.MasterName != "" {
		s += "/" + a.options.MasterName
	}
	if !a.options.IsClusterMode {
		s += "/" + strconv.Itoa(a.options.DB)
	}
	return s
}

// EnqueueClient returns a client that fails fast, for callers that somebody waits for. It obeys
// the context's deadline also while it reads, and never repeats a command: a repeated enqueue
// would meet its own task. It connects when first used; the caller closes it.
func (a Address) EnqueueClient() redis.UniversalClient {
	o := a.options
	o.ContextTimeoutEnabled = true
	o.MaxRetries = -1
	o.DialTimeout = 500 * time.Millisecond
	o.DialerRetries = 1
	o.ReadTimeout = 800 * time.Millisecond
	o.WriteTimeout = 800 * time.Millisecond
	o.PoolTimeout = 500 * time.Millisecond
	return newClient(o)
}

// ServerClient returns a client with go-redis's patient defaults, for asynq's servers: what they
// write must get through. It connects when first used; the caller closes it after the servers.
func (a Address) ServerClient() redis.UniversalClient { return newClient(a.options) }

// waitClient returns a client for so many who wait for tasks at the same time. A wait ends with its context, and is not
// repeated. It connects when first used; the caller closes it.
func (a Address) waitClient(waiting int) redis.UniversalClient {
	o := a.options
	o.ContextTimeoutEnabled = true
	o.MaxRetries = -1
	o.DialerRetries = 1
	o.PoolSize = waiting
	return newClient(o)
}

// InspectClient returns a client for looking around: scripts and long pipelines may take their
// time, and a deadline still ends them. It connects when first used; the caller closes it.
func (a Address) InspectClient() redis.UniversalClient {
	o := a.options
	o.ContextTimeoutEnabled = true
	o.ReadTimeout = 10 * time.Second
	o.WriteTimeout = 10 * time.Second
	o.PoolSize = 4
	return newClient(o)
}

func newClient(o redis.UniversalOptions) redis.UniversalClient {
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled} // Redis Cloud only
	o.Protocol = 2                                                                                 // 3 looks for news of the server before each answer, of which there are none
	if o.TLSConfig != nil {
		o.TLSConfig = o.TLSConfig.Clone()
	}
	return redis.NewUniversalClient(&o)
}
