package queue

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/fault"
)

func TestParseAddress(t *testing.T) {
	type parsed struct {
		Addrs                  []string
		User, Password, Master string
		SentinelUser           string
		SentinelPassword       string
		DB                     int
		TLS, Cluster           bool
		Text                   string
	}
	tests := map[string]parsed{
		"redis://localhost": {Addrs: []string{"localhost:6379"}, Text: "redis://localhost:6379/0"},
		"redis://:p%2Fw@127.0.0.1:6380/2": {Addrs: []string{"127.0.0.1:6380"}, Password: "p/w", DB: 2,
			Text: "redis://127.0.0.1:6380/2"},
		"redis://app:p@ss@cache:6379": {Addrs: []string{"cache:6379"}, User: "app", Password: "p@ss", Text: "redis://cache:6379/0"},
		"redis://[::1]:6379/":         {Addrs: []string{"[::1]:6379"}, Text: "redis://[::1]:6379/0"},
		"redis://[::1]":               {Addrs: []string{"[::1]:6379"}, Text: "redis://[::1]:6379/0"},
		"rediss://app:pw@cache.example/1": {Addrs: []string{"cache.example:6379"}, User: "app", Password: "pw", DB: 1, TLS: true,
			Text: "rediss://cache.example:6379/1"},
		"redis-sentinel://:pw@a:26379,b,c:26380/mymaster/3?sentinel_username=s&sentinel_password=q": {
			Addrs: []string{"a:26379", "b:26379", "c:26380"}, Password: "pw", Master: "mymaster", DB: 3,
			SentinelUser: "s", SentinelPassword: "q", Text: "redis-sentinel://a:26379,b:26379,c:26380/mymaster/3"},
		"rediss-sentinel://a/m": {Addrs: []string{"a:26379"}, Master: "m", TLS: true, Text: "rediss-sentinel://a:26379/m/0"},
		"redis-cluster://app:pw@a:7000,b:7001": {Addrs: []string{"a:7000", "b:7001"}, User: "app", Password: "pw", Cluster: true,
			Text: "redis-cluster://a:7000,b:7001"},
		"rediss-cluster://a/": {Addrs: []string{"a:6379"}, TLS: true, Cluster: true, Text: "rediss-cluster://a:6379"},
	}
	for value, want := range tests {
		t.Run(value, func(t *testing.T) {
			a, err := ParseAddress(value)
			if err != nil {
				t.Fatalf("ParseAddress error = %v", err)
			}
			o := a.options
			got := parsed{Addrs: o.Addrs, User: o.Username, Password: o.Password, Master: o.MasterName,
				SentinelUser: o.SentinelUsername, SentinelPassword: o.SentinelPassword, DB: o.DB,
				TLS: o.TLSConfig != nil, Cluster: o.IsClusterMode, Text: a.String()}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("ParseAddress (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseAddress_refuses(t *testing.T) {
	tests := map[string]struct{ value, says string }{
		"nothing":                          {"", "scheme"},
		"a host alone":                     {"localhost:6379", "scheme"},
		"another scheme":                   {"http://hunter2@localhost", "scheme"},
		"a password with a bare slash":     {"redis://:hunter2/x@localhost", "host"},
		"a password with a bare per":       {"redis://:hunter2%zz@localhost", "URL"},
		"no host":                          {"redis://:hunter2@", "host"},
		"two hosts of one server":          {"redis://a,b", "one host"},
		"an empty host in a list":          {"redis-cluster://a,,b", "host"},
		"a port that is no number":         {"redis://localhost:redis", "port"},
		"a port out of range":              {"redis://localhost:66000", "port"},
		"an IPv6 host without brackets":    {"redis://::1", "host"},
		"a database that is no number":     {"redis://localhost/hunter2", "database"},
		"a negative database":              {"redis://localhost/-1", "database"},
		"a path too many":                  {"redis://localhost/1/2", "path"},
		"a database of a cluster":          {"redis-cluster://a/1", "databases"},
		"Sentinels of no master":           {"redis-sentinel://a,b", "master"},
		"an unknown parameter":             {"redis://localhost?pasword=hunter2", "parameter"},
		"a Sentinel's parameter elsewhere": {"redis://localhost?sentinel_password=hunter2", "parameter"},
		"a query that is not one":          {"redis://localhost?a=%zz", "query"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ParseAddress(tt.value)
			if fault.KindOf(err) != fault.Invalid {
				t.Fatalf("ParseAddress(%q) error = %v, want one of kind invalid", tt.value, err)
			}
			problem, forms, _ := strings.Cut(err.Error(), "; use one of")
			if !strings.Contains(problem, tt.says) || !strings.Contains(forms, "redis-cluster://") {
				t.Errorf("ParseAddress(%q) error = %q, want it to say %q and list the forms", tt.value, err, tt.says)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("ParseAddress(%q) error shows the secret: %v", tt.value, err)
			}
		})
	}
}
