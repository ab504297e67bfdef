package intake

import (
	"context"
	"net/http"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/notice"
)

func (s *Server) addMails() {
	const group = "Mails"
	missing := []int{http.StatusNotFound}
	add(s, operation{route: "GET /api/v1/wallets/{id}/mails", id: "list-mails", group: group, summary: "List the mails of a wallet, newest first", errors: missing}, s.listMails)
	add(s, operation{route: "POST /api/v1/wallets/{id}/mails/{mail}/resend", id: "resend-mail", group: group, summary: "Send a mail once more", status: http.StatusAccepted, errors: append(missing, http.StatusConflict)}, s.resendMail)
	add(s, operation{route: "GET /api/v1/wallets/{id}/mails/mutes", id: "list-mutes", group: group, summary: "List which mails of a wallet its people do without", errors: missing}, s.listMutes)
	add(s, operation{route: "PUT /api/v1/wallets/{id}/mails/mutes/{account}/{case}", id: "mute-mail", group: group, summary: "Have somebody do without the mails of a case", status: http.StatusNoContent, errors: missing}, s.putMute)
	add(s, operation{route: "DELETE /api/v1/wallets/{id}/mails/mutes/{account}/{case}", id: "unmute-mail", group: group, summary: "Let somebody get the mails of a case again", status: http.StatusNoContent, errors: missing}, s.deleteMute)
}

// mailView is a mail as it is kept.
type mailView struct {
	ID        string       `json:"id"`
	Case      notice.Case  `json:"case"`
	Subject   string       `json:"subject" doc:"What it is about, such as a charge; with #2 when it was sent again"`
	Account   string       `json:"account,omitempty" doc:"Of the receiver"`
	Name      string       `json:"name"`
	Address   string       `json:"address"`
	State     notice.State `json:"state" enum:"waiting,sending,sent,bounced,failed"`
	Attempts  int          `json:"attempts"`
	NextAt    time.Time    `json:"next_at,omitzero" doc:"Of the next try, while it waits"`
	Reason    string       `json:"reason,omitempty" doc:"Why it was not sent at the last try, in the words of the mail server"`
	CreatedAt time.Time    `json:"created_at"`
	SentAt    time.Time    `json:"sent_at,omitzero"`
}

func viewMail(m notice.Record) mailView {
	v := mailView{
		ID: m.ID, Case: m.Case, Subject: m.Subject, Account: m.To.AccountID, Name: m.To.Name, Address: m.To.Address, State: m.State,
		Attempts: m.Attempts, Reason: m.Reason, CreatedAt: m.CreatedAt, SentAt: m.SentAt,
	}
	if m.State == notice.Waiting {
		v.NextAt = m.NextAt
	}
	return v
}

type listMailsInput struct {
	PageByID
	State string `query:"state" enum:"waiting,sending,sent,bounced,failed" doc:"Only mails in a state"`
	Case  string `query:"case" maxLength:"64" doc:"Only mails of a case, such as unpaid"`
}

func (s *Server) listMails(ctx context.Context, in *listMailsInput) (*body[page[mailView]], error) {
	n := notice.Narrow{State: notice.State(in.State), Case: notice.Case(in.Case)}
	if err := in.after(&n.Before); err != nil {
		return nil, err
	}
	if n.Case != "" && n.Case.Korean() == "" {
		return nil, fault.Field("case", "is none of the cases of mails")
	}
	mails, err := s.services.Mails.Mails(ctx, in.ID, n, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(in.Paged, mails, func(m notice.Record) any { return m.ID }, viewMail)
}

// ResendInput is the input of a route about one mail.
type ResendInput struct {
	ByID
	Keyed
	Mail string `path:"mail" maxLength:"64"`
}

func (s *Server) resendMail(ctx context.Context, in *ResendInput) (*body[mailView], error) {
	r, err := in.request(ctx, "resend "+in.ID+" "+in.Mail, nil)
	if err != nil {
		return nil, err
	}
	again, err := s.services.Mails.ResendMail(ctx, notice.Resend{WalletID: in.ID, MailID: in.Mail, At: s.config.Now(), Request: notice.Request(r)})
	if err != nil {
		return nil, err
	}
	return reply(viewMail(again)), nil
}

// muteView is what somebody does without.
type muteView struct {
	Account string      `json:"account"`
	Name    string      `json:"name"`
	Case    notice.Case `json:"case"`
	Since   time.Time   `json:"since"`
}

type muteList struct {
	Items []muteView `json:"items" nullable:"false"`
}

func (s *Server) listMutes(ctx context.Context, in *ByID) (*body[muteList], error) {
	mutes, err := s.services.Mails.Mutes(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	list := muteList{Items: make([]muteView, len(mutes))}
	for i, m := range mutes {
		list.Items[i] = muteView{Account: m.AccountID, Name: m.Name, Case: m.Case, Since: m.Since}
	}
	return reply(list), nil
}

// MuteInput is the input of a route about what somebody does without.
type MuteInput struct {
	ByID
	Account string `path:"account" maxLength:"64"`
	Case    string `path:"case" maxLength:"64" doc:"Such as topup; unpaid, long_term_failure, invoice_issued and invoice_failed are always sent"`
}

// mute returns what a call is about, unless its caller may not speak for the account: everybody
// mutes for himself, and for others who may change the wallet.
func (s *Server) muteOf(ctx context.Context, in *MuteInput) (notice.Mute, error) {
	m := notice.Mute{WalletID: in.ID, AccountID: in.Account, Case: notice.Case(in.Case), Since: s.config.Now()}
	if in.Account == principalOf(ctx).AccountID {
		return m, nil
	}
	return m, s.permit(ctx, access.ChangeWallet, access.OfWallet, in.ID)
}

func (s *Server) putMute(ctx context.Context, in *MuteInput) (*none, error) {
	m, err := s.muteOf(ctx, in)
	if err != nil {
		return nil, err
	}
	return nil, s.setMute(ctx, m, true)
}

func (s *Server) deleteMute(ctx context.Context, in *MuteInput) (*none, error) {
	m, err := s.muteOf(ctx, in)
	if err != nil {
		return nil, err
	}
	return nil, s.setMute(ctx, m, false)
}
