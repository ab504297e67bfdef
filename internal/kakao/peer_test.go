package kakao

import (
	"io"
	"net"
	"testing"
)

func TestConns_wrote(t *testing.T) {
	tests := map[string]struct {
		before, after int // writes before and after the request got the connection
		want          bool
	}{
		"a new connection, nothing written":                {0, 0, false},
		"a new connection, written to":                     {0, 1, true},
		"an old connection that had gone before the write": {3, 0, false},
		"an old connection, written to":                    {3, 1, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			here, there := net.Pipe()
			t.Cleanup(func() { _, _ = here.Close(), there.Close() })
			go func() { _, _ = io.Copy(io.Discard, there) }()
			conn := &watchedConn{Conn: here}
			write := func(times int) {
				for range times {
					if _, err := conn.Write([]byte("x")); err != nil {
						t.Fatalf("Write() = %v, want nil", err)
					}
				}
			}
			write(tt.before)
			var used conns
			used.add(conn)
			write(tt.after)
			if got := used.wrote(); got != tt.want {
				t.Errorf("wrote() = %t, want %t", got, tt.want)
			}
			if _, err := conn.Write([]byte("x")); err == nil {
				t.Error("a connection was written to after it was said what was written")
			}
		})
	}
}

// Of a connection that is not watched nothing can be promised.
func TestConns_wrote_unwatched(t *testing.T) {
	here, there := net.Pipe()
	t.Cleanup(func() { _, _ = here.Close(), there.Close() })
	var used conns
	used.add(here)
	if !used.wrote() {
		t.Error("wrote() = false for a connection that nobody watched, want true")
	}
}
