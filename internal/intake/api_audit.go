package intake

import (
	"context"
	"encoding/json"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/store"
)

type auditView struct {
	Seq     int64           `json:"seq" doc:"Counted from 1 without gaps"`
	At      time.Time       `json:"at"`
	Token   string          `json:"token,omitempty" doc:"Absent at the terminal of the machine and in a payer's browser"`
	Account string          `json:"account,omitempty" doc:"The person whom the token stands for"`
	Action  string          `json:"action" doc:"The operation, as in put-member"`
	Subject access.Object   `json:"subject"`
	Wallet  string          `json:"wallet,omitempty" doc:"The wallet that it concerns"`
	Reason  string          `json:"reason,omitempty" doc:"As the caller gave it in Malgil-Reason"`
	Before  json.RawMessage `json:"before,omitempty" doc:"Of the subject, as far as it changed; no secrets"`
	After   json.RawMessage `json:"after,omitempty"`
}

func viewEntry(e access.Entry) auditView {
	return auditView{
		Seq: e.Seq, At: e.At, Token: e.TokenID, Account: e.AccountID, Action: e.Action, Subject: e.Subject, Wallet: e.WalletID,
		Reason: e.Reason, Before: json.RawMessage(e.Before), After: json.RawMessage(e.After),
	}
}

func (s *Server) addAudit() {
	const group = "Audit"
	add(s, operation{route: "GET /api/v1/audit", id: "list-audit", group: group, summary: "List who did what, newest first"}, s.listAudit)
	add(s, operation{route: "GET /api/v1/audit/verify", id: "verify-audit", group: group, summary: "Walk along the chain of the audit log"}, s.verifyAudit)
}

type listAuditInput struct {
	Paged
	Wallet  string `query:"wallet" maxLength:"64"`
	Account string `query:"account" maxLength:"64" doc:"Who did it"`
	Action  string `query:"action" maxLength:"64"`
	Kind    string `query:"kind" maxLength:"64" doc:"Of the subject"`
	Subject string `query:"subject" maxLength:"64" doc:"Id of the subject"`
}

func (s *Server) listAudit(ctx context.Context, in *listAuditInput) (*body[page[auditView]], error) {
	var before int64
	if err := in.after(&before); err != nil {
		return nil, err
	}
	entries, err := s.services.Read.Audit(ctx, store.AuditFilter{
		Sight: principalOf(ctx).Sight(), WalletID: in.Wallet, AccountID: in.Account, Action: in.Action,
		Subject: access.Object{Kind: access.Kind(in.Kind), ID: in.Subject},
	}, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(in.Paged, entries, func(e access.Entry) any { return e.Seq }, viewEntry)
}

type auditReportView struct {
	Holds   bool   `json:"holds"`
	Entries int64  `json:"entries" doc:"That hold, from the first on"`
	Head    string `json:"head" doc:"Hash of the last of them; keep it elsewhere, and nobody can rewrite what is before it"`
	Broken  int64  `json:"broken,omitempty" doc:"The first entry that does not hold"`
	Why     string `json:"why,omitempty"`
}

func (s *Server) verifyAudit(ctx context.Context, _ *none) (*body[auditReportView], error) {
	r, err := s.services.Read.VerifyAudit(ctx)
	if err != nil {
		return nil, err
	}
	return reply(auditReportView{Holds: r.Broken == 0, Entries: r.Entries, Head: r.Head, Broken: r.Broken, Why: r.Why}), nil
}
