package intake

import (
	"context"
	"net/http"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/internal/wallet"
)

// whyView is a posting with what caused it.
type whyView struct {
	Posting  postingView    `json:"posting"`
	Messages *messagesView  `json:"messages,omitempty" doc:"Of a capture or its correction: the messages that it is for"`
	Charge   *chargeView    `json:"charge,omitempty" doc:"Of a charge: its attempts. GET …/charges/{charge}/origins tells what it pays"`
	Payment  *paymentView   `json:"payment,omitempty" doc:"Of money that moved outside"`
	Corrects *correctedWhat `json:"corrects,omitempty" doc:"Of a correction"`
	Grants   []grantUseView `json:"grants,omitempty" doc:"Free cash that it used, grant by grant; below 0 where it came back"`
	PaidBy   []payerView    `json:"paid_by,omitempty" doc:"What has paid the accrual that it made, the oldest accrual first"`
	Unpaid   wallet.KRW     `json:"unpaid_krw,omitempty" doc:"Of that accrual, what nothing has paid yet"`
}

type messagesView struct {
	Chunk     broadcast.ChunkID    `json:"chunk"`
	State     broadcast.ChunkState `json:"state"`
	Broadcast string               `json:"broadcast"`
	Name      string               `json:"name"`
	Bot       string               `json:"bot"`
	Channel   broadcast.Side       `json:"channel"`
	Price     wallet.KRW           `json:"price_krw"`
	People    int                  `json:"people"`
	Delivered int                  `json:"delivered"`
	Failed    int                  `json:"failed"`
	Unknown   int                  `json:"unknown"`
	TaskID    string               `json:"task_id,omitempty" doc:"Kakao's receipt"`
	SentAt    time.Time            `json:"sent_at,omitzero"`
}

type paymentView struct {
	Order    string         `json:"order" doc:"Order id at the provider"`
	TID      string         `json:"tid,omitempty" doc:"Id of the payment at the card gateway"`
	Method   billing.Method `json:"method"`
	State    billing.State  `json:"outcome"`
	Total    wallet.KRW     `json:"total_krw"`
	Checkout string         `json:"checkout,omitempty"`
	Refund   string         `json:"refund,omitempty"`
	TopUp    string         `json:"topup,omitempty" doc:"Of a refund: the top-up that goes back"`
	At       time.Time      `json:"at,omitzero"`
}

type correctedWhat struct {
	Kind string `json:"kind" doc:"capture, or payment"`
	Ref  string `json:"ref" doc:"Chunk, or order id"`
}

type grantUseView struct {
	Grant     string     `json:"grant"`
	Amount    wallet.KRW `json:"amount_krw"`
	Reason    string     `json:"reason"`
	ExpiresAt time.Time  `json:"expires_at,omitzero"`
}

type payerView struct {
	Kind   string     `json:"kind"`
	Ref    string     `json:"ref"`
	At     time.Time  `json:"at"`
	Amount wallet.KRW `json:"amount_krw"`
	State  string     `json:"state,omitempty" doc:"Of a charge: open and review are not paid yet"`
}

func viewPayers(payers []store.Payer) []payerView {
	views := make([]payerView, len(payers))
	for i, p := range payers {
		views[i] = payerView(p)
	}
	return views
}

// Explainer tells why money was posted, and who was reached for it; [store.Store] does.
type Explainer interface {
	Explain(ctx context.Context, walletID, kind, ref string) (store.Explanation, error)
	ChargeOrigins(ctx context.Context, walletID, chargeID string, from *store.OriginMark, limit int) ([]store.Origin, *store.OriginMark, error)
	BroadcastCost(ctx context.Context, id string, withPayers bool) (store.Cost, error)
	BroadcastPostings(ctx context.Context, walletID, id string, after store.PostingMark, limit int) ([]wallet.Posting, error)
	People(ctx context.Context, id broadcast.ID, f store.PeopleFilter, limit int) ([]store.ChunkPeople, error)
	Messages(ctx context.Context, botID, person string, since time.Time, from store.MessageMark, limit int) ([]store.Addressed, *store.MessageMark, error)
}

func (s *Server) addWhy() {
	const group = "Books"
	missing := []int{http.StatusNotFound}
	add(s, operation{route: "GET /api/v1/wallets/{id}/why", id: "explain-posting", group: group, summary: "Tell what caused a posting, what paid for it, and what it pays", errors: missing}, s.why)
	add(s, operation{route: "GET /api/v1/wallets/{id}/charges/{charge}/origins", id: "list-charge-origins", group: group, summary: "List the accrual that a charge pays, newest first", errors: missing}, s.origins)
	add(s, operation{route: "GET /api/v1/broadcasts/{id}/cost", id: "explain-broadcast", group: group, summary: "Tell what a broadcast cost and what paid it", errors: missing}, s.cost)
	add(s, operation{route: "GET /api/v1/broadcasts/{id}/postings", id: "list-broadcast-postings", group: group, summary: "List the postings about a broadcast", errors: missing}, s.broadcastPostings)
	s.addResults()
	s.addMessages()
	add(s, operation{route: "GET /api/v1/broadcasts/{id}/people", id: "list-broadcast-people", group: group, summary: "List the people of a broadcast: who was reached, and which posting paid for it", errors: missing}, s.listPeople)
}

type whyInput struct {
	ByID
	Kind string `query:"kind" maxLength:"32" doc:"Kind of the posting; the newest of any kind with the ref, when left out"`
	Ref  string `query:"ref" required:"true" maxLength:"200" doc:"Ref of the posting"`
}

func (s *Server) why(ctx context.Context, in *whyInput) (*body[whyView], error) {
	x, err := s.services.Explain.Explain(ctx, in.ID, in.Kind, in.Ref)
	if err != nil {
		return nil, err
	}
	view := whyView{Posting: viewPosting(x.Posting), PaidBy: viewPayers(x.PaidBy), Unpaid: x.Unpaid}
	if c := x.Sent; c != nil {
		view.Messages = &messagesView{
			Chunk: c.Chunk.ID, State: c.Chunk.State, Broadcast: c.BroadcastID, Name: c.Name, Bot: c.BotID, Channel: c.Side, Price: c.Price,
			People: c.Chunk.People, Delivered: c.Chunk.Delivered, Failed: c.Chunk.Failed, Unknown: c.Chunk.Unknown,
			TaskID: c.Chunk.TaskID, SentAt: c.Chunk.SentAt,
		}
	}
	if x.Charge != nil {
		charge := viewCharge(*x.Charge)
		view.Charge = &charge
	}
	if p := x.Payment; p != nil {
		view.Payment = &paymentView{Order: p.AttemptID, TID: p.TID, Method: p.Method, State: p.State, Total: p.Total,
			Checkout: p.Checkout, Refund: p.Refund, TopUp: p.TopUp, At: p.At}
	}
	if c := x.Corrects; c != nil {
		view.Corrects = &correctedWhat{Kind: c.Kind, Ref: c.Ref}
	}
	for _, g := range x.Grants {
		view.Grants = append(view.Grants, grantUseView{Grant: g.ID, Amount: g.Used, Reason: g.Reason, ExpiresAt: g.ExpiresAt})
	}
	return reply(view), nil
}

// originView is accrual that a charge pays.
type originView struct {
	Kind    string     `json:"kind"`
	Ref     string     `json:"ref"`
	At      time.Time  `json:"at"`
	Accrued wallet.KRW `json:"accrued_krw"`
	Paid    wallet.KRW `json:"paid_krw" doc:"By this charge"`
	Earlier wallet.KRW `json:"earlier_krw,omitempty" doc:"By what paid before it"`
	Later   wallet.KRW `json:"later_krw,omitempty" doc:"Left to what pays next"`
}

type originsInput struct {
	ByID
	Paged
	Charge string `path:"charge" maxLength:"64"`
}

func (s *Server) origins(ctx context.Context, in *originsInput) (*body[page[originView]], error) {
	var from *store.OriginMark
	if in.Cursor != "" {
		from = &store.OriginMark{}
		if err := in.after(from); err != nil {
			return nil, err
		}
	}
	origins, next, err := s.services.Explain.ChargeOrigins(ctx, in.ID, in.Charge, from, in.Limit)
	if err != nil {
		return nil, err
	}
	list := page[originView]{Items: make([]originView, len(origins))}
	for i, o := range origins {
		list.Items[i] = originView{Kind: o.Kind, Ref: o.Ref, At: o.At, Accrued: o.Accrued, Paid: o.Paid, Earlier: o.Earlier, Later: o.Later}
	}
	if next != nil {
		if list.Next, err = cursorOf(next); err != nil {
			return nil, err
		}
	}
	return reply(list), nil
}

// costView is what a broadcast cost.
type costView struct {
	Broadcast string      `json:"broadcast"`
	Wallet    string      `json:"wallet"`
	Postings  int         `json:"postings"`
	Captured  wallet.KRW  `json:"captured_krw" doc:"With corrections"`
	Free      wallet.KRW  `json:"free_krw"`
	Paid      wallet.KRW  `json:"paid_krw"`
	Accrual   wallet.KRW  `json:"accrual_krw"`
	Gone      wallet.KRW  `json:"gone_krw,omitempty" doc:"Free cash that came back to a grant that was over"`
	PaidBy    []payerView `json:"paid_by,omitempty" doc:"What has paid the accrual; for those who may read the wallet"`
	Unpaid    wallet.KRW  `json:"unpaid_krw,omitempty" doc:"Of the accrual, what nothing has paid yet"`
}

func (s *Server) cost(ctx context.Context, in *ByID) (*body[costView], error) {
	b, err := s.services.Read.Broadcast(ctx, broadcast.ID(in.ID))
	if err != nil {
		return nil, err
	}
	mayRead := s.permit(ctx, access.ReadWallet, access.OfWallet, b.WalletID) == nil
	c, err := s.services.Explain.BroadcastCost(ctx, in.ID, mayRead)
	if err != nil {
		return nil, err
	}
	return reply(costView{Broadcast: in.ID, Wallet: c.WalletID, Postings: c.Postings, Captured: c.Captured, Free: c.Free, Paid: c.Paid,
		Accrual: c.Accrual, Gone: c.Gone, PaidBy: viewPayers(c.PaidBy), Unpaid: c.Unpaid}), nil
}

func (s *Server) broadcastPostings(ctx context.Context, in *PageByID) (*body[page[postingView]], error) {
	var after store.PostingMark
	if err := in.after(&after); err != nil {
		return nil, err
	}
	b, err := s.services.Read.Broadcast(ctx, broadcast.ID(in.ID))
	if err != nil {
		return nil, err
	}
	postings, err := s.services.Explain.BroadcastPostings(ctx, b.WalletID, in.ID, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(in.Paged, postings, func(p wallet.Posting) any { return store.Mark(p) }, viewPosting)
}
