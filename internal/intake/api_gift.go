package intake

import (
	"context"
	"net/http"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/wallet"
)

// Giver gives cash to wallets.
type Giver interface {
	Give(ctx context.Context, n wallet.NewGift, r wallet.Request) (wallet.Gift, error)
	Use(ctx context.Context, walletID, id string, r wallet.Request) (wallet.Gift, error)
}

type grantView struct {
	ID        string           `json:"id"`
	Kind      wallet.GiftKind  `json:"kind" doc:"free or paid cash"`
	State     wallet.GiftState `json:"state" doc:"waiting for use, started, used_up or expired; given for paid cash"`
	Amount    wallet.KRW       `json:"amount_krw"`
	Remaining wallet.KRW       `json:"remaining_krw,omitempty" doc:"Free cash that is neither used nor vanished"`
	Expired   wallet.KRW       `json:"expired_krw,omitempty" doc:"Free cash that vanished unused"`
	Reason    string           `json:"reason"`
	ExpiresOn string           `json:"expires_on,omitempty" doc:"Last day of free cash: it vanishes at 24:00 in Korea"`
	StartedAt time.Time        `json:"started_at,omitzero" doc:"When somebody pressed use"`
	CreatedAt time.Time        `json:"created_at"`
}

func (s *Server) viewGrant(g wallet.Gift) grantView {
	view := grantView{
		ID: g.ID, Kind: g.Kind, State: g.State(s.config.Now()), Amount: g.Amount, Remaining: g.Remaining, Expired: g.Expired,
		Reason: g.Reason, StartedAt: g.StartedAt, CreatedAt: g.CreatedAt,
	}
	if !g.ExpiresAt.IsZero() {
		view.ExpiresOn = g.ExpiresAt.Add(-time.Second).In(clock.Seoul).Format(time.DateOnly)
	}
	return view
}

func (s *Server) addGrants() {
	const group = "Wallets"
	add(s, operation{route: "POST /api/v1/wallets/{id}/grants", id: "grant-cash", group: group, summary: "Give a wallet cash: free cash that waits for use, or paid cash", status: http.StatusCreated, errors: []int{http.StatusNotFound, http.StatusConflict}}, s.grantCash)
	add(s, operation{route: "GET /api/v1/wallets/{id}/grants", id: "list-grants", group: group, summary: "List the cash that a wallet was given, newest first", errors: []int{http.StatusNotFound}}, s.listGrants)
	add(s, operation{route: "POST /api/v1/wallets/{id}/grants/{grant}/use", id: "use-grant", group: group, summary: "Make free cash count; that cannot be undone", errors: []int{http.StatusNotFound, http.StatusConflict}}, s.useGrant)
}

type grantCashInput struct {
	ByID
	Keyed
	RawBody []byte
	Body    struct {
		Kind      string     `json:"kind,omitempty" enum:"free,paid" doc:"free, when left out"`
		Amount    wallet.KRW `json:"amount_krw"`
		ExpiresOn string     `json:"expires_on,omitempty" doc:"Last day of free cash, as 2027-01-31: it vanishes at 24:00 in Korea"`
		Reason    string     `json:"reason" doc:"Shown to the wallet's people"`
	}
}

func (s *Server) grantCash(ctx context.Context, in *grantCashInput) (*body[grantView], error) {
	r, err := in.request(ctx, "grant "+in.ID, in.RawBody)
	if err != nil {
		return nil, err
	}
	g, err := s.services.Giver.Give(ctx, wallet.NewGift{
		WalletID: in.ID, Kind: wallet.GiftKind(in.Body.Kind), Amount: in.Body.Amount, ExpiresOn: in.Body.ExpiresOn, Reason: in.Body.Reason,
	}, wallet.Request(r))
	if err != nil {
		return nil, err
	}
	return reply(s.viewGrant(g)), nil
}

func (s *Server) listGrants(ctx context.Context, in *PageByID) (*body[page[grantView]], error) {
	var before string
	if err := in.after(&before); err != nil {
		return nil, err
	}
	gifts, err := s.services.Read.Gifts(ctx, in.ID, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(in.Paged, gifts, func(g wallet.Gift) any { return g.ID }, s.viewGrant)
}

type useGrantInput struct {
	ByID
	Keyed
	Grant string `path:"grant" maxLength:"64"`
}

func (s *Server) useGrant(ctx context.Context, in *useGrantInput) (*body[grantView], error) {
	r, err := in.request(ctx, "use "+in.ID+" "+in.Grant, nil)
	if err != nil {
		return nil, err
	}
	g, err := s.services.Giver.Use(ctx, in.ID, in.Grant, wallet.Request(r))
	if err != nil {
		return nil, err
	}
	return reply(s.viewGrant(g)), nil
}
