package main

import (
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

// healthCommand asks a process on this machine whether it answers, for images that have no curl.
type healthCommand struct {
	MetricsListen string `env:"MALGIL_METRICS_LISTEN" default:"127.0.0.1:9100" help:"Where the process serves metrics."`
}

// Run asks once, for three seconds at most.
func (c healthCommand) Run(e *env) error {
	host, port, err := net.SplitHostPort(c.MetricsListen)
	if err != nil {
		return fault.Field("MALGIL_METRICS_LISTEN", "must be host:port, such as 127.0.0.1:9100")
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	client := http.Client{Timeout: 3 * time.Second}
	answer, err := client.Get("http://" + net.JoinHostPort(host, port) + "/healthz")
	if err != nil {
		return fmt.Errorf("nothing answers on this machine: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the process answers %s", answer.Status)
	}
	fmt.Fprintln(e.stdout, "ok")
	return nil
}
