package intake

import (
	"context"
	"net/http"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/notice"
)

func (s *Server) addMails() {
	const group = "Mails"
	missing := []int{http.StatusNotFound}
	add(s, operation{route: "GET /api/v1/wallets/{id}/mails/mutes", id: "list-mutes", group: group, summary: "List which mails of a wallet its people do without", errors: missing}, s.listMutes)
	add(s, operation{route: "PUT /api/v1/wallets/{id}/mails/mutes/{account}/{case}", id: "mute-mail", group: group, summary: "Have somebody do without the mails of a case", status: http.StatusNoContent, errors: missing}, s.putMute)
	add(s, operation{route: "DELETE /api/v1/wallets/{id}/mails/mutes/{account}/{case}", id: "unmute-mail", group: group, summary: "Let somebody get the mails of a case again", status: http.StatusNoContent, errors: missing}, s.deleteMute)
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
