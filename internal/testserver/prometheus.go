package testserver

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// Prometheus starts a Prometheus of one test with a configuration as it reads it, and returns its base
// URL. Files that the configuration names have whole paths. It scrapes and judges from its start on and
// ends with the test; what it has seen goes with it.
func Prometheus(t testing.TB, config string) string {
	t.Helper()
	binary, err := findBinary("prometheus", "/usr/bin/prometheus", "/usr/local/bin/prometheus")
	if err != nil {
		Missing(t, "no prometheus on this machine", "apt-get install prometheus")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var server *process
	var address string
	for range 5 {
		var port int
		if port, err = freePort(); err != nil {
			break
		}
		address = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		cmd := exec.Command(binary, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
		cmd.Dir = dir
		if server, err = start("prometheus", cmd, "Server is ready to receive web requests", syscall.SIGKILL); !portTaken(err) {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.kill)
	return "http://" + address
}
