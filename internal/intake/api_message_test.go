package intake

import (
	"strings"
	"testing"

	"github.com/malgil/malgil/internal/broadcast"
)

// Whoever can be sent to can be looked up.
func TestPerson_longest(t *testing.T) {
	h := newHouse(t)
	longest := strings.Repeat("u", 200)
	if err := (broadcast.Recipient{Type: "botUserKey", ID: longest}).Check(); err != nil {
		t.Fatal(err)
	}
	if err := (broadcast.Recipient{Type: "botUserKey", ID: longest + "u"}).Check(); err == nil {
		t.Fatal("a longer id can be sent to; it has to be possible to look it up")
	}
	h.do(call{method: "GET", path: "/api/v1/broadcasts/brd_none/people?person=" + longest}).want(404)
	h.do(call{method: "GET", path: "/api/v1/bots/none/messages?person=" + longest}).want(200)
}
