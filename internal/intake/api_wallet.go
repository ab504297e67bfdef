package intake

import (
	"context"
	"net/http"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/internal/wallet"
)

type walletView struct {
	ID             string              `json:"id"`
	Name           string              `json:"name"`
	Kind           access.WalletKind   `json:"kind"`
	BusinessNumber string              `json:"business_number,omitempty"`
	InvoiceEmail   string              `json:"invoice_email,omitempty"`
	Company        string              `json:"company,omitempty" doc:"상호, where it is not the wallet's name"`
	Representative string              `json:"representative,omitempty" doc:"대표자, of a business"`
	Address        string              `json:"address,omitempty" doc:"사업장 주소"`
	BusinessType   string              `json:"business_type,omitempty" doc:"업태"`
	BusinessItem   string              `json:"business_item,omitempty" doc:"종목"`
	Status         wallet.Status       `json:"status"`
	PaymentState   wallet.PaymentState `json:"payment_state"`
	UnpaidSince    time.Time           `json:"unpaid_since,omitzero"`
	Balance        balanceView         `json:"balance"`
	DailyLimit     wallet.KRW          `json:"daily_limit_krw,omitempty"`
	Members        []memberView        `json:"members,omitempty"`
	Cards          []walletCardView    `json:"cards,omitempty"`
	CreatedAt      time.Time           `json:"created_at"`
	DeletedAt      time.Time           `json:"deleted_at,omitzero"`
}

type balanceView struct {
	Free      wallet.KRW `json:"free_krw"`
	Paid      wallet.KRW `json:"paid_krw"`
	Accrual   wallet.KRW `json:"accrual_krw"`
	Charging  wallet.KRW `json:"charging_krw"`
	Held      wallet.KRW `json:"held_krw"`
	Spendable wallet.KRW `json:"spendable_krw" doc:"What can be taken aside now"`
	Due       wallet.KRW `json:"due_krw" doc:"The part of the accrual that is to be charged now"`
	Refunding wallet.KRW `json:"refunding_krw" doc:"Paid cash on its way back to the payer"`
	// Refundable is 0 while anything is owed, charged, held or on its way back.
	Refundable wallet.KRW `json:"refundable_krw" doc:"Paid cash that may be refunded now"`
}

type memberView struct {
	Account string            `json:"account"`
	Name    string            `json:"name"`
	Email   string            `json:"email"`
	Role    access.WalletRole `json:"role"`
}

// spendable is what can be taken aside now: nothing while the wallet may not pay for sends at all.
func spendable(w wallet.Wallet, now time.Time) wallet.KRW {
	if w.Check() != nil {
		return 0
	}
	return max(w.Spendable(now), 0)
}

func (s *Server) viewWallet(v store.WalletView) walletView {
	now := s.config.Now()
	refundable, _ := v.Refundable() // 0 with a reason that only a refund needs
	view := walletView{
		ID: v.ID, Name: v.Name, Kind: v.Kind, BusinessNumber: v.BusinessNumber, InvoiceEmail: v.InvoiceEmail,
		Company: v.Business.Company, Representative: v.Business.Representative, Address: v.Business.Address, BusinessType: v.Business.Type, BusinessItem: v.Business.Item,
		Status: v.Status, PaymentState: v.PaymentState, UnpaidSince: v.UnpaidSince, DailyLimit: v.DailyLimit, CreatedAt: v.CreatedAt, DeletedAt: v.DeletedAt,
		Balance: balanceView{
			Free: v.Free, Paid: v.Paid, Accrual: v.Accrual, Charging: v.Charging, Held: v.Held,
			Spendable: spendable(v.Wallet, now), Due: v.Due(now),
			Refunding: v.Refunding, Refundable: refundable,
		},
	}
	for _, m := range v.Members {
		view.Members = append(view.Members, memberView{Account: m.AccountID, Name: m.Name, Email: m.Email, Role: m.Role})
	}
	return view
}

func (s *Server) addWallets() {
	const group = "Wallets"
	missing := []int{http.StatusNotFound}
	add(s, operation{route: "POST /api/v1/wallets", id: "create-wallet", group: group, summary: "Open a wallet", status: http.StatusCreated}, s.createWallet)
	add(s, operation{route: "GET /api/v1/wallets", id: "list-wallets", group: group, summary: "List wallets"}, s.listWallets)
	add(s, operation{route: "GET /api/v1/wallets/{id}", id: "get-wallet", group: group, summary: "Show a wallet with its balance, people and cards", errors: missing}, s.getWallet)
	add(s, operation{route: "PUT /api/v1/wallets/{id}/members/{account}", id: "put-member", group: group, summary: "Give a person a role on a wallet", errors: []int{http.StatusNotFound, http.StatusConflict}}, s.putMember)
	add(s, operation{route: "DELETE /api/v1/wallets/{id}/members/{account}", id: "delete-member", group: group, summary: "Take a person and his cards off a wallet", status: http.StatusNoContent, errors: []int{http.StatusNotFound, http.StatusConflict}}, s.deleteMember)
	add(s, operation{route: "GET /api/v1/wallets/{id}/postings", id: "list-postings", group: group, summary: "List the postings of a wallet, newest first", errors: missing}, s.listPostings)
	add(s, operation{route: "GET /api/v1/wallets/{id}/charges", id: "list-charges", group: group, summary: "List the charges of a wallet with their attempts, newest first", errors: missing}, s.listCharges)
	add(s, operation{route: "POST /api/v1/wallets/{id}/reconnect", id: "reconnect-wallet", group: group, summary: "Connect the channels of a wallet that has paid", errors: []int{http.StatusNotFound, http.StatusConflict}}, s.reconnect)
}

type createWalletInput struct {
	Body struct {
		Name           string     `json:"name"`
		Kind           string     `json:"kind" enum:"business,personal"`
		BusinessNumber string     `json:"business_number,omitempty" doc:"사업자등록번호, with or without dashes"`
		InvoiceEmail   string     `json:"invoice_email,omitempty" doc:"Where tax invoices go"`
		Company        string     `json:"company,omitempty" doc:"상호 on tax invoices, where it is not the name"`
		Address        string     `json:"address,omitempty" doc:"사업장 주소 on tax invoices"`
		BusinessType   string     `json:"business_type,omitempty" doc:"업태 on tax invoices"`
		BusinessItem   string     `json:"business_item,omitempty" doc:"종목 on tax invoices"`
		Master         string     `json:"master" doc:"Account that owns the wallet"`
		DailyLimit     wallet.KRW `json:"daily_limit_krw,omitempty" doc:"일 지출한도: 1,000 to 100,000,000 in steps of 1,000; needed before the wallet gets a card"`
	}
}

func (s *Server) createWallet(ctx context.Context, in *createWalletInput) (*created[walletView], error) {
	id, err := s.services.Wallets.Open(ctx, access.NewWallet{
		Name: in.Body.Name, Kind: access.WalletKind(in.Body.Kind), BusinessNumber: in.Body.BusinessNumber,
		InvoiceEmail: in.Body.InvoiceEmail, Master: in.Body.Master, DailyLimit: in.Body.DailyLimit,
		Registered: access.Registered{Company: in.Body.Company, Address: in.Body.Address, Type: in.Body.BusinessType, Item: in.Body.BusinessItem},
	})
	if err != nil {
		return nil, err
	}
	v, err := s.services.Read.WalletView(ctx, id)
	if err != nil {
		return nil, err
	}
	return &created[walletView]{Location: "/api/v1/wallets/" + id, Body: s.viewWallet(v)}, nil
}

func (s *Server) listWallets(ctx context.Context, in *Paged) (*body[page[walletView]], error) {
	var after string
	if err := in.after(&after); err != nil {
		return nil, err
	}
	wallets, err := s.services.Read.WalletViews(ctx, principalOf(ctx).Sight(), after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(*in, wallets, func(v store.WalletView) any { return v.ID }, s.viewWallet)
}

func (s *Server) getWallet(ctx context.Context, in *ByID) (*body[walletView], error) {
	v, err := s.services.Read.WalletView(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	view := s.viewWallet(v)
	if v.HasCard {
		cards, err := s.services.Billing.WalletCards(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		view.Cards = viewWalletCards(cards)
	}
	return reply(view), nil
}

// MemberInput is the input of a route about a person on a wallet.
type MemberInput struct {
	ID      string `path:"id" maxLength:"64"`
	Account string `path:"account" maxLength:"64"`
}

type putMemberInput struct {
	MemberInput
	Body struct {
		Role string `json:"role" enum:"master,worker,viewer"`
	}
}

func (s *Server) putMember(ctx context.Context, in *putMemberInput) (*body[memberView], error) {
	role := access.WalletRole(in.Body.Role)
	if err := s.mayKeep(ctx, in.MemberInput, role); err != nil {
		return nil, err
	}
	if err := s.services.Wallets.PutMember(ctx, principalOf(ctx), in.ID, in.Account, role); err != nil {
		return nil, err
	}
	a, err := s.services.Read.Account(ctx, in.Account)
	if err != nil {
		return nil, err
	}
	return reply(memberView{Account: a.ID, Name: a.Name, Email: a.Email, Role: role}), nil
}

// mayKeep says why the caller may not give a person a role on a wallet or take it away, or nil. The
// wallet permission is given and taken by more people than the other roles.
func (s *Server) mayKeep(ctx context.Context, in MemberInput, role access.WalletRole) error {
	v, err := s.services.Read.WalletView(ctx, in.ID)
	if err != nil {
		return err
	}
	right := access.GiveWalletWork
	if role != access.Worker {
		right = access.KeepMembers
	}
	for _, m := range v.Members {
		if m.AccountID == in.Account && m.Role != access.Worker {
			right = access.KeepMembers
		}
	}
	return s.permit(ctx, right, access.OfWallet, in.ID)
}

func (s *Server) deleteMember(ctx context.Context, in *MemberInput) (*none, error) {
	if in.Account != principalOf(ctx).AccountID {
		if err := s.mayKeep(ctx, *in, access.Worker); err != nil {
			return nil, err
		}
	}
	return nil, s.services.Wallets.DropMember(ctx, in.ID, in.Account)
}

type postingView struct {
	Kind      wallet.PostingKind `json:"kind"`
	Ref       string             `json:"ref" doc:"What caused it"`
	At        time.Time          `json:"at"`
	Free      wallet.KRW         `json:"free_krw,omitempty"`
	Paid      wallet.KRW         `json:"paid_krw,omitempty"`
	Refunding wallet.KRW         `json:"refunding_krw,omitempty"`
	Accrual   wallet.KRW         `json:"accrual_krw,omitempty"`
	Charging  wallet.KRW         `json:"charging_krw,omitempty"`
	Revenue   wallet.KRW         `json:"revenue_krw,omitempty"`
	Clearing  wallet.KRW         `json:"clearing_krw,omitempty"`
	VAT       wallet.KRW         `json:"vat_krw,omitempty"`
	Rounding  wallet.KRW         `json:"rounding_krw,omitempty"`
	Promotion wallet.KRW         `json:"promotion_krw,omitempty"`
}

func viewPosting(p wallet.Posting) postingView {
	return postingView{
		Kind: p.Kind, Ref: p.Ref, At: p.At, Free: p.Free, Paid: p.Paid, Refunding: p.Refunding, Accrual: p.Accrual, Charging: p.Charging,
		Revenue: p.Revenue, Clearing: p.Clearing, VAT: p.VAT, Rounding: p.Rounding, Promotion: p.Promotion,
	}
}

type PageByID struct {
	ByID
	Paged
}

func (s *Server) listPostings(ctx context.Context, in *PageByID) (*body[page[postingView]], error) {
	var before store.PostingMark
	if err := in.after(&before); err != nil {
		return nil, err
	}
	postings, err := s.services.Read.Postings(ctx, in.ID, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(in.Paged, postings, func(p wallet.Posting) any { return store.Mark(p) }, viewPosting)
}

type chargeView struct {
	ID       string        `json:"id"`
	Wallet   string        `json:"wallet"`
	State    string        `json:"state"`
	Supply   wallet.KRW    `json:"supply_krw"`
	VAT      wallet.KRW    `json:"vat_krw"`
	Total    wallet.KRW    `json:"total_krw"`
	OpenedAt time.Time     `json:"opened_at"`
	ClosedAt time.Time     `json:"closed_at,omitzero"`
	Decided  *decidedView  `json:"decided,omitempty" doc:"How a person took it out of review"`
	Attempts []attemptView `json:"attempts" nullable:"false"`
}

type attemptView struct {
	ID              string     `json:"id"`
	Slot            int        `json:"slot" doc:"1 is the payment card, 2 and 3 are the backups"`
	Card            string     `json:"card"`
	Masked          string     `json:"masked,omitempty"`
	Outcome         string     `json:"outcome" doc:"prepared, calling, done, declined or unknown"`
	Reason          string     `json:"reason,omitempty"`
	ProviderCode    string     `json:"provider_code,omitempty"`
	ProviderMessage string     `json:"provider_message,omitempty"`
	Total           wallet.KRW `json:"total_krw"`
	At              time.Time  `json:"at"`
}

func viewCharge(c store.ChargeView) chargeView {
	view := chargeView{
		ID: c.ID, Wallet: c.WalletID, State: c.State, Supply: c.Supply, VAT: c.VAT, Total: c.Supply + c.VAT,
		OpenedAt: c.OpenedAt, ClosedAt: c.ClosedAt, Attempts: make([]attemptView, 0, len(c.Attempts)),
	}
	if c.DecidedBy != "" {
		view.Decided = &decidedView{By: c.DecidedBy, Reason: c.Reason}
	}
	for _, a := range c.Attempts {
		at := a.CalledAt
		if at.IsZero() {
			at = a.CreatedAt
		}
		view.Attempts = append(view.Attempts, attemptView{
			ID: a.ID, Slot: a.Slot, Card: a.CardID, Masked: a.Masked, Outcome: a.State, Reason: a.Reason,
			ProviderCode: a.ProviderCode, ProviderMessage: a.ProviderMessage, Total: a.Total, At: at,
		})
	}
	return view
}

func (s *Server) listCharges(ctx context.Context, in *PageByID) (*body[page[chargeView]], error) {
	var before string
	if err := in.after(&before); err != nil {
		return nil, err
	}
	charges, err := s.services.Read.Charges(ctx, in.ID, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(in.Paged, charges, func(c store.ChargeView) any { return c.ID }, viewCharge)
}

func (s *Server) reconnect(ctx context.Context, in *ByID) (*body[walletView], error) {
	if err := s.services.Billing.Reconnect(ctx, in.ID); err != nil {
		return nil, err
	}
	return s.getWallet(ctx, in)
}
