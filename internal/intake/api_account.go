package intake

import (
	"context"
	"net/http"
	"time"

	"github.com/malgil/malgil/internal/access"
)

type accountView struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Email     string    `json:"email"`
	Admin     bool      `json:"admin,omitempty" doc:"A platform admin"`
	CreatedAt time.Time `json:"created_at"`

	EmailRefused string `json:"email_refused,omitempty" doc:"Why no mails are sent to the address any more: its server says that nobody is there"`
}

func viewAccount(a access.Account) accountView {
	return accountView{ID: a.ID, Name: a.Name, Email: a.Email, Admin: a.Admin, CreatedAt: a.CreatedAt, EmailRefused: a.EmailRefused}
}

func (s *Server) addAccounts() {
	const group = "Accounts"
	add(s, operation{route: "POST /api/v1/accounts", id: "create-account", group: group, summary: "Make an account of a person", status: http.StatusCreated, errors: []int{http.StatusConflict}}, s.createAccount)
	add(s, operation{route: "GET /api/v1/accounts", id: "list-accounts", group: group, summary: "List accounts"}, s.listAccounts)
	add(s, operation{route: "GET /api/v1/accounts/{id}", id: "get-account", group: group, summary: "Show an account", errors: []int{http.StatusNotFound}}, s.getAccount)
	add(s, operation{route: "PATCH /api/v1/accounts/{id}", id: "change-account", group: group, summary: "Change the name or e-mail address of a person", errors: []int{http.StatusNotFound, http.StatusConflict}}, s.changeAccount)
	for route, admin := range map[string]bool{"PUT /api/v1/accounts/{id}/admin": true, "DELETE /api/v1/accounts/{id}/admin": false} {
		op := operation{route: route, id: "make-admin", group: group, summary: "Make an account a platform admin", status: http.StatusNoContent, errors: []int{http.StatusNotFound}}
		if !admin {
			op.id, op.summary = "end-admin", "Make a platform admin a person like others"
		}
		add(s, op, func(ctx context.Context, in *ByID) (*none, error) {
			return nil, s.services.Read.SetAdmin(ctx, in.ID, admin)
		})
	}
}

type createAccountInput struct {
	Body struct {
		Name  string `json:"name" doc:"At most 100 characters"`
		Email string `json:"email" doc:"Where mails about wallets and bots go"`
	}
}

func (s *Server) createAccount(ctx context.Context, in *createAccountInput) (*created[accountView], error) {
	a, err := s.services.Accounts.Create(ctx, in.Body.Name, in.Body.Email)
	if err != nil {
		return nil, err
	}
	return &created[accountView]{Location: "/api/v1/accounts/" + a.ID, Body: viewAccount(a)}, nil
}

func (s *Server) listAccounts(ctx context.Context, in *Paged) (*body[page[accountView]], error) {
	var after string
	if err := in.after(&after); err != nil {
		return nil, err
	}
	accounts, err := s.services.Read.Accounts(ctx, principalOf(ctx).Sight(), after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(*in, accounts, func(a access.Account) any { return a.ID }, viewAccount)
}

func (s *Server) getAccount(ctx context.Context, in *ByID) (*body[accountView], error) {
	a, err := s.services.Read.Account(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return reply(viewAccount(a)), nil
}

type changeAccountInput struct {
	ByID
	Body struct {
		Name  *string `json:"name,omitempty"`
		Email *string `json:"email,omitempty"`
	}
}

func (s *Server) changeAccount(ctx context.Context, in *changeAccountInput) (*body[accountView], error) {
	if err := s.services.Accounts.Change(ctx, in.ID, access.AccountChange{Name: in.Body.Name, Email: in.Body.Email}); err != nil {
		return nil, err
	}
	return s.getAccount(ctx, &in.ByID)
}

type TokenView struct {
	ID         string         `json:"id"`
	Name       string         `json:"name"`
	Account    string         `json:"account,omitempty" doc:"The person that it stands for; absent for one of the platform's own"`
	IssuedBy   string         `json:"issued_by,omitempty" doc:"Account of who made it, or made the token that did; absent for one of the terminal"`
	Scopes     []access.Scope `json:"scopes"`
	CreatedAt  time.Time      `json:"created_at"`
	ExpiresAt  time.Time      `json:"expires_at,omitzero"`
	LastUsedAt time.Time      `json:"last_used_at,omitzero" doc:"To the minute"`
	RevokedAt  time.Time      `json:"revoked_at,omitzero"`
}

func viewToken(t access.Token) TokenView {
	return TokenView{ID: t.ID, Name: t.Name, Account: t.AccountID, IssuedBy: t.IssuedBy, Scopes: t.Scopes, CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt, LastUsedAt: t.LastUsedAt, RevokedAt: t.RevokedAt}
}

type newTokenView struct {
	TokenView
	Secret string `json:"secret" doc:"Shown this once"`
}

type meView struct {
	ID      string         `json:"id"`
	Name    string         `json:"name"`
	Account string         `json:"account,omitempty" doc:"The person that the token stands for"`
	Admin   bool           `json:"admin,omitempty" doc:"May do everything that the scopes allow"`
	Scopes  []access.Scope `json:"scopes"`
}

func (s *Server) addTokens() {
	const group = "Tokens"
	add(s, operation{route: "GET /api/v1/me", id: "get-me", group: group, summary: "Show the token that calls"}, s.getMe)
	add(s, operation{route: "POST /api/v1/tokens", id: "create-token", group: group, summary: "Make a token", status: http.StatusCreated}, s.createToken)
	add(s, operation{route: "GET /api/v1/tokens", id: "list-tokens", group: group, summary: "List tokens"}, s.listTokens)
	add(s, operation{route: "DELETE /api/v1/tokens/{id}", id: "revoke-token", group: group, summary: "Revoke a token", status: http.StatusNoContent, errors: []int{http.StatusNotFound}}, s.revokeToken)
}

func (s *Server) getMe(ctx context.Context, _ *none) (*body[meView], error) {
	p := principalOf(ctx)
	return reply(meView{ID: p.TokenID, Name: p.Name, Account: p.AccountID, Admin: p.Platform(), Scopes: p.Scopes}), nil
}

type createTokenInput struct {
	Body struct {
		Name      string    `json:"name" doc:"Who uses it"`
		Account   string    `json:"account,omitempty" doc:"The person that it stands for: it may what he may. Left out, yourself; the platform, when you are one of its own"`
		Scopes    []string  `json:"scopes" doc:"Words of: send read billing admin"`
		ExpiresAt time.Time `json:"expires_at,omitzero" doc:"Never, when left out"`
	}
}

func (s *Server) createToken(ctx context.Context, in *createTokenInput) (*body[newTokenView], error) {
	t, secret, err := s.services.Gate.IssueBy(ctx, principalOf(ctx), access.NewToken{
		Name: in.Body.Name, AccountID: in.Body.Account, Scopes: in.Body.Scopes, ExpiresAt: in.Body.ExpiresAt,
	})
	if err != nil {
		return nil, err
	}
	return reply(newTokenView{TokenView: viewToken(t), Secret: secret}), nil
}

func (s *Server) listTokens(ctx context.Context, in *Paged) (*body[page[TokenView]], error) {
	var after string
	if err := in.after(&after); err != nil {
		return nil, err
	}
	tokens, err := s.services.Read.Tokens(ctx, principalOf(ctx).Sight(), after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(*in, tokens, func(t access.Token) any { return t.ID }, viewToken)
}

func (s *Server) revokeToken(ctx context.Context, in *ByID) (*none, error) {
	return nil, s.services.Read.RevokeToken(ctx, in.ID, s.config.Now())
}
