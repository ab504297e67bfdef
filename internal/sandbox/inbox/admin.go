package inbox

import (
	"net/http"
	"strconv"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/sandbox/answer"
)

// Routes adds the addresses of the inbox's admin to a mux.
func (b *Inbox) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /sandbox/mails", b.list)
	mux.HandleFunc("DELETE /sandbox/mails", b.clear)
}

// list is GET /sandbox/mails: oldest first; ?to= and ?subject= (a part of it) narrow it, and with
// ?wait_seconds= it waits until there are ?count= of them, 1 unless said otherwise.
func (b *Inbox) list(w http.ResponseWriter, r *http.Request) {
	wait, err := answer.ReadWait(r)
	count := 1
	if text := r.FormValue("count"); err == nil && text != "" {
		if count, err = strconv.Atoi(text); err != nil || count < 1 {
			err = fault.Field("count", "count is a number from 1")
		}
	}
	if err != nil {
		answer.Problem(w, err)
		return
	}
	var found []Mail
	b.bell.Until(r.Context(), wait, func() bool {
		found = b.Find(r.FormValue("to"), r.FormValue("subject"))
		return len(found) >= count
	})
	answer.Items(w, found, 0)
}

// clear is DELETE /sandbox/mails.
func (b *Inbox) clear(w http.ResponseWriter, _ *http.Request) {
	b.mu.Lock()
	b.mail = nil
	b.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

// Count returns how many letters there are.
func (b *Inbox) Count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.mail)
}
