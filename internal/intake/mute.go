package intake

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/notice"
	"github.com/malgil/malgil/internal/store"
)

//go:embed mute.html
var muteHTML string

var mutePage = template.Must(template.New("mute").Parse(muteHTML))

// muteText is what a receiver reads who follows the link of a mail.
type muteText struct {
	Title, Text, More string
	Button            string // empty for none
	Again             bool   // the button has the mails come again
}

// maxMuteBody bounds the form of a click, and what a mail program sends in its place.
const maxMuteBody = 4 << 10

// showMute asks the receiver of a mail whether he wants no more of its kind. It mutes nothing: mail
// scanners open links.
func (s *Server) showMute(w http.ResponseWriter, r *http.Request) {
	m, ok := s.muteBehind(w, r)
	if ok {
		writeMute(w, http.StatusOK, muteWords(m, !m.Since.IsZero(), false))
	}
}

// mute has the receiver of a mail do without its kind, or get it again where the form says so. Mail
// programs call it with one click (RFC 8058), which takes no cookie and no token but the link's. It
// may be repeated.
func (s *Server) mute(w http.ResponseWriter, r *http.Request) {
	m, ok := s.muteBehind(w, r)
	if !ok {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxMuteBody)
	again := r.PostFormValue("again") == "1" // a body that is none asks for what the link is for
	ctx := access.WithDeed(r.Context(), access.Deed{
		AccountID: m.AccountID, Action: "mute-mail", Reason: "by the link in a mail", At: s.config.Now(),
	}, access.Object{Kind: access.OfWallet, ID: m.WalletID})
	m.Since = s.config.Now()
	if err := s.setMute(ctx, m.Mute, !again); err != nil {
		s.muteFailed(w, r, err)
		return
	}
	writeMute(w, http.StatusOK, muteWords(m, !again, true))
}

func (s *Server) setMute(ctx context.Context, m notice.Mute, muted bool) error {
	if muted {
		return s.services.Mails.PutMute(ctx, m)
	}
	return s.services.Mails.DropMute(ctx, m)
}

// muteBehind reads what the link of a call mutes; ok is false when it has answered.
func (s *Server) muteBehind(w http.ResponseWriter, r *http.Request) (m store.MailMute, ok bool) {
	id := r.PathValue("mail")
	if !s.services.MuteLinks.Opens(id, r.PathValue("token")) {
		s.muteFailed(w, r, fault.New(fault.NotFound, "the link is signed by nobody"))
		return m, false
	}
	m, err := s.services.Mails.MuteOf(r.Context(), id)
	if err != nil {
		s.muteFailed(w, r, err)
		return m, false
	}
	return m, true
}

func (s *Server) muteFailed(w http.ResponseWriter, r *http.Request, err error) {
	switch fault.KindOf(err) {
	case fault.NotFound, fault.Invalid: // Invalid: he gets no mails of the wallet any more
		writeMute(w, http.StatusNotFound, muteText{Title: "메일을 찾을 수 없습니다", Text: "주소가 올바르지 않거나 더 이상 이 월렛의 메일을 받지 않습니다."})
	default:
		s.logMistake(r.Context(), r.Method+" /mute/{mail}/{token}", err)
		writeMute(w, http.StatusServiceUnavailable, muteText{Title: "지금은 처리할 수 없습니다", Text: "잠시 후 이 페이지를 새로 고쳐 주세요."})
	}
}

// muteWords says how things stand, or what has just been done.
func muteWords(m store.MailMute, muted, done bool) muteText {
	kind := fmt.Sprintf("‘%s’ 월렛의 ‘%s’ 메일", m.WalletName, m.Case.Korean())
	switch {
	case muted:
		return muteText{Title: "더 이상 보내지 않습니다", Text: m.Name + " 님께 " + kind + "을 보내지 않습니다. 다른 사람과 다른 종류의 메일은 그대로입니다.",
			More: "다시 받으려면 아래 버튼을 누르세요.", Button: "다시 받기", Again: true}
	case done:
		return muteText{Title: "다시 보내 드립니다", Text: m.Name + " 님께 " + kind + "을 다시 보내 드립니다.", Button: "그만 받기"}
	}
	return muteText{Title: "이 메일을 그만 받을까요?", Text: m.Name + " 님께 " + kind + "을 더 이상 보내지 않습니다.",
		More: "그만 받은 뒤에도 이 페이지에서 언제든 다시 받을 수 있습니다. 요금 미납, 장기 결제 실패, 세금계산서 메일은 늘 발송됩니다.", Button: "그만 받기"}
}

func writeMute(w http.ResponseWriter, status int, text muteText) {
	var page bytes.Buffer
	if err := mutePage.Execute(&page, text); err != nil { // a template of ours with plain texts
		panic(err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // the address holds the token
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes()) // the reader closed the page
}
