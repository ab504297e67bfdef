package intake

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/internal/wallet"
)

type CardView struct {
	ID           string            `json:"id"`
	Account      string            `json:"account"`
	Masked       string            `json:"masked,omitempty"`
	Issuer       string            `json:"issuer,omitempty"`
	State        billing.CardState `json:"state"`
	DormantSince time.Time         `json:"dormant_since,omitzero"`
	AddedAt      time.Time         `json:"added_at"`
	Wallet       string            `json:"wallet,omitempty" doc:"The wallet that it sits on"`
}

type walletCardView struct {
	Slot int    `json:"slot"`
	Role string `json:"role" doc:"payment, backup_1 or backup_2"`
	CardView
}

func viewCard(c billing.Card) CardView {
	return CardView{
		ID: c.ID, Account: c.AccountID, Masked: c.Masked, Issuer: c.Issuer, State: c.State,
		DormantSince: c.DormantSince, AddedAt: c.AddedAt, Wallet: c.WalletID,
	}
}

func viewWalletCards(cards []billing.Card) []walletCardView {
	views := make([]walletCardView, 0, len(cards))
	for _, c := range cards {
		views = append(views, walletCardView{Slot: c.Slot, Role: c.Role(), CardView: viewCard(c)})
	}
	return views
}

type checkoutView struct {
	ID        string                  `json:"id"`
	Kind      billing.CheckoutKind    `json:"kind"`
	Method    billing.Method          `json:"method" doc:"card or bank"`
	State     billing.CheckoutState   `json:"state"`
	Reason    string                  `json:"reason,omitempty"`
	Account   string                  `json:"account" doc:"Who pays"`
	Wallet    string                  `json:"wallet,omitempty"`
	Card      string                  `json:"card,omitempty" doc:"The card that was registered"`
	Order     string                  `json:"order" doc:"The order id at KakaoPay or the bank"`
	Supply    wallet.KRW              `json:"supply_krw"`
	VAT       wallet.KRW              `json:"vat_krw"`
	Total     wallet.KRW              `json:"total_krw"`
	Redirect  *billing.Redirect       `json:"redirect,omitempty" doc:"Where to send the payer, by device"`
	Transfer  *billing.OneTimeAccount `json:"transfer,omitempty" doc:"By bank: where to transfer exactly total_krw, once; there when the bank has opened it"`
	CreatedAt time.Time               `json:"created_at"`
	ExpiresAt time.Time               `json:"expires_at"`
	ClosedAt  time.Time               `json:"closed_at,omitzero"`
}

func viewCheckout(c billing.Checkout) checkoutView {
	view := checkoutView{
		ID: c.ID, Kind: c.Kind, Method: c.Method, State: c.State, Reason: c.Reason, Account: c.AccountID, Wallet: c.WalletID, Card: c.CardID, Order: c.AttemptID,
		Supply: c.Supply, VAT: c.VAT, Total: c.Supply + c.VAT,
		CreatedAt: c.CreatedAt, ExpiresAt: c.ExpiresAt(), ClosedAt: c.ClosedAt,
	}
	if c.State == billing.CheckoutReady && c.Redirect != (billing.Redirect{}) {
		view.Redirect = &c.Redirect
	}
	if c.Transfer.Number != "" {
		view.Transfer = &c.Transfer
	}
	return view
}

func (s *Server) addCards() {
	const cards, checkouts = "Cards", "Checkouts"
	missing := []int{http.StatusNotFound}
	begin := []int{http.StatusNotFound, http.StatusServiceUnavailable}
	add(s, operation{route: "POST /api/v1/accounts/{id}/cards", id: "register-card", group: cards, summary: "Begin the registration of a card", status: http.StatusAccepted, errors: begin}, s.registerCard)
	add(s, operation{route: "GET /api/v1/accounts/{id}/cards", id: "list-account-cards", group: cards, summary: "List the cards of an account by time added", errors: missing}, s.listAccountCards)
	add(s, operation{route: "GET /api/v1/cards/{id}", id: "get-card", group: cards, summary: "Show a card in the state that KakaoPay tells now", errors: missing}, s.getCard)
	add(s, operation{route: "DELETE /api/v1/cards/{id}", id: "delete-card", group: cards, summary: "Forget a card and switch it off at KakaoPay", status: http.StatusNoContent, errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable}}, s.deleteCard)
	add(s, operation{route: "PUT /api/v1/wallets/{id}/cards", id: "put-wallet-cards", group: cards, summary: "Say which cards a wallet is charged on, in which order", errors: []int{http.StatusNotFound, http.StatusConflict}}, s.putWalletCards)
	add(s, operation{route: "POST /api/v1/wallets/{id}/cards", id: "add-wallet-card", group: cards, summary: "Put a card on a wallet, in the order of the time added unless another was set", status: http.StatusCreated, errors: []int{http.StatusNotFound, http.StatusConflict}}, s.addWalletCard)
	add(s, operation{route: "DELETE /api/v1/wallets/{id}/cards/{card}", id: "take-card-off", group: cards, summary: "Take a card off a wallet; those behind it move up", status: http.StatusNoContent, errors: []int{http.StatusNotFound}}, s.deleteWalletCard)
	add(s, operation{route: "GET /api/v1/wallets/{id}/cards", id: "list-wallet-cards", group: cards, summary: "List the cards of a wallet in the order of their use", errors: missing}, s.listWalletCards)
	add(s, operation{route: "POST /api/v1/wallets/{id}/topups", id: "top-up", group: checkouts, summary: "Begin a top-up", status: http.StatusAccepted, errors: begin}, s.topUp)
	add(s, operation{route: "GET /api/v1/checkouts/{id}", id: "get-checkout", group: checkouts, summary: "Show how a top-up or registration goes", errors: missing}, s.getCheckout)
}

type registerCardInput struct {
	ByID
	Keyed
}

func (s *Server) registerCard(ctx context.Context, in *registerCardInput) (*created[checkoutView], error) {
	r, err := in.request(ctx, "card "+in.ID, nil)
	if err != nil {
		return nil, err
	}
	if _, err := s.services.Read.Account(ctx, in.ID); err != nil {
		return nil, err
	}
	c, err := s.services.Billing.StartCard(ctx, in.ID, billing.Request(r))
	if err != nil {
		return nil, err
	}
	return &created[checkoutView]{Location: "/api/v1/checkouts/" + c.ID, Body: viewCheckout(c)}, nil
}

func (s *Server) listAccountCards(ctx context.Context, in *ByID) (*body[page[CardView]], error) {
	if _, err := s.services.Read.Account(ctx, in.ID); err != nil {
		return nil, err
	}
	cards, err := s.services.Billing.AccountCards(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	list := page[CardView]{Items: make([]CardView, 0, len(cards))}
	for _, c := range cards {
		list.Items = append(list.Items, viewCard(c))
	}
	return reply(list), nil
}

func (s *Server) getCard(ctx context.Context, in *ByID) (*body[CardView], error) {
	c, err := s.services.Billing.Card(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return reply(viewCard(c)), nil
}

func (s *Server) deleteCard(ctx context.Context, in *ByID) (*none, error) {
	return nil, s.services.Billing.RemoveCard(ctx, onBehalf(ctx), in.ID)
}

type putWalletCardsInput struct {
	ByID
	Body struct {
		Cards []string `json:"cards" minItems:"1" maxItems:"3" uniqueItems:"true" nullable:"false" doc:"Card ids: the payment card, then its backups"`
	}
}

func (s *Server) putWalletCards(ctx context.Context, in *putWalletCardsInput) (*body[page[walletCardView]], error) {
	if err := s.services.Billing.SetCards(ctx, in.ID, onBehalf(ctx), in.Body.Cards); err != nil {
		return nil, err
	}
	return s.listWalletCards(ctx, &in.ByID)
}

type addWalletCardInput struct {
	ByID
	Body struct {
		Card string `json:"card"`
	}
}

func (s *Server) addWalletCard(ctx context.Context, in *addWalletCardInput) (*body[page[walletCardView]], error) {
	if in.Body.Card == "" {
		return nil, fault.Field("card", "is missing")
	}
	if err := s.services.Billing.AttachCard(ctx, in.ID, onBehalf(ctx), in.Body.Card); err != nil {
		return nil, err
	}
	return s.listWalletCards(ctx, &in.ByID)
}

type walletCardInput struct {
	ByID
	Card string `path:"card" maxLength:"64"`
}

func (s *Server) deleteWalletCard(ctx context.Context, in *walletCardInput) (*none, error) {
	return nil, s.services.Billing.DetachCard(ctx, in.ID, onBehalf(ctx), in.Card)
}

func (s *Server) listWalletCards(ctx context.Context, in *ByID) (*body[page[walletCardView]], error) {
	cards, err := s.services.Billing.WalletCards(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return reply(page[walletCardView]{Items: viewWalletCards(cards)}), nil
}

type topUpInput struct {
	ByID
	Keyed
	RawBody []byte
	Body    struct {
		Amount  wallet.KRW `json:"amount_krw" doc:"Supply value; VAT is added"`
		Account string     `json:"account,omitempty" doc:"Who pays; the master of the wallet, when left out"`
		Method  string     `json:"method,omitempty" enum:"card,bank" doc:"card, unless said otherwise, or bank: 무통장입금, of a business wallet"`
	}
}

func (s *Server) topUp(ctx context.Context, in *topUpInput) (*created[checkoutView], error) {
	r, err := in.request(ctx, "topup "+in.ID, in.RawBody)
	if err != nil {
		return nil, err
	}
	v, err := s.services.Read.WalletView(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	payer, err := payerOf(v, in.Body.Account)
	if err != nil {
		return nil, err
	}
	c, err := s.services.Billing.StartTopUp(ctx, billing.TopUpOrder{
		AccountID: payer, WalletID: in.ID, Supply: in.Body.Amount, Method: billing.Method(in.Body.Method), Request: billing.Request(r),
	})
	var wrong *fault.Error
	if errors.As(err, &wrong) && wrong.Field == "supply_krw" { // as this route calls it
		return nil, fault.Field("amount_krw", "%s", wrong.Message)
	}
	if err != nil {
		return nil, err
	}
	return &created[checkoutView]{Location: "/api/v1/checkouts/" + c.ID, Body: viewCheckout(c)}, nil
}

// payerOf returns who pays a top-up: a member of the wallet, its master unless another is named.
func payerOf(v store.WalletView, named string) (string, error) {
	for _, m := range v.Members {
		if m.AccountID == named || (named == "" && m.Role == access.Master) {
			return m.AccountID, nil
		}
	}
	return "", &fault.Error{Kind: fault.Invalid, Field: "account", Code: "NOT_A_MEMBER", Message: "is not a member of the wallet; make it one first"}
}

func (s *Server) getCheckout(ctx context.Context, in *ByID) (*body[checkoutView], error) {
	c, err := s.services.Billing.Checkout(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return reply(viewCheckout(c)), nil
}
