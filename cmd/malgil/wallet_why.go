package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/apiclient"
)

// walletWhy explains a posting, a charge or a broadcast.
type walletWhy struct {
	remote
	list
	Wallet string `arg:"" help:"Wallet."`
	What   string `arg:"" help:"A posting as KIND/REF, the ref alone (a chunk, charge, checkout or line of a refund), or a broadcast."`
	Person string `help:"Of a broadcast: only this person's id."`
}

// explained is what the server says of a posting or a broadcast; what does not apply is empty.
type explained struct {
	Why     *whyRow     `json:"why,omitempty"`
	Origins []originRow `json:"origins,omitempty"`
	Cost    *costRow    `json:"cost,omitempty"`
	People  []personRow `json:"people,omitempty"`
	More    bool        `json:"more,omitempty"` // there are more origins or people than the limit
}

type whyRow struct {
	Posting  postingRow `json:"posting"`
	Messages *struct {
		Chunk     string `json:"chunk"`
		State     string `json:"state"`
		Broadcast string `json:"broadcast"`
		Name      string `json:"name"`
		Bot       string `json:"bot"`
		Channel   string `json:"channel"`
		Price     int64  `json:"price_krw"`
		People    int    `json:"people"`
		Delivered int    `json:"delivered"`
		Failed    int    `json:"failed"`
		Unknown   int    `json:"unknown"`
		TaskID    string `json:"task_id"`
	} `json:"messages,omitempty"`
	Charge *struct {
		chargeRow
		Supply int64 `json:"supply_krw"`
		VAT    int64 `json:"vat_krw"`
	} `json:"charge,omitempty"`
	Payment *struct {
		Order    string `json:"order"`
		TID      string `json:"tid"`
		Method   string `json:"method"`
		Outcome  string `json:"outcome"`
		Total    int64  `json:"total_krw"`
		Checkout string `json:"checkout"`
		Refund   string `json:"refund"`
		TopUp    string `json:"topup"`
	} `json:"payment,omitempty"`
	Corrects *struct {
		Kind string `json:"kind"`
		Ref  string `json:"ref"`
	} `json:"corrects,omitempty"`
	Grants []struct {
		Grant     string    `json:"grant"`
		Amount    int64     `json:"amount_krw"`
		Reason    string    `json:"reason"`
		ExpiresAt time.Time `json:"expires_at"`
	} `json:"grants,omitempty"`
	PaidBy []payerRow `json:"paid_by,omitempty"`
	Unpaid int64      `json:"unpaid_krw,omitempty"`
}

type payerRow struct {
	Kind   string    `json:"kind"`
	Ref    string    `json:"ref"`
	At     time.Time `json:"at"`
	Amount int64     `json:"amount_krw"`
	State  string    `json:"state,omitempty"`
}

type originRow struct {
	Kind    string    `json:"kind"`
	Ref     string    `json:"ref"`
	At      time.Time `json:"at"`
	Accrued int64     `json:"accrued_krw"`
	Paid    int64     `json:"paid_krw"`
	Earlier int64     `json:"earlier_krw,omitempty"`
	Later   int64     `json:"later_krw,omitempty"`
}

type costRow struct {
	Broadcast string     `json:"broadcast"`
	Wallet    string     `json:"wallet"`
	Postings  int        `json:"postings"`
	Captured  int64      `json:"captured_krw"`
	Free      int64      `json:"free_krw"`
	Paid      int64      `json:"paid_krw"`
	Accrual   int64      `json:"accrual_krw"`
	Gone      int64      `json:"gone_krw,omitempty"`
	PaidBy    []payerRow `json:"paid_by,omitempty"`
	Unpaid    int64      `json:"unpaid_krw,omitempty"`
}

type personRow struct {
	Type     string `json:"type"`
	ID       string `json:"id"`
	Chunk    string `json:"chunk"`
	Outcome  string `json:"outcome"`
	Error    int    `json:"error_type,omitempty"`
	Message  string `json:"message,omitempty"`
	Captured int64  `json:"captured_krw,omitempty"`
	Posting  string `json:"posting,omitempty"`
}

// Run asks for what caused it, and prints a tree.
func (c walletWhy) Run(e *env) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var x explained
	if strings.HasPrefix(c.What, "brd_") && !strings.Contains(c.What, "-") {
		err = c.broadcast(e, client, &x)
	} else {
		err = c.posting(e, client, &x)
	}
	if err != nil {
		return lines(err)
	}
	if c.JSON {
		return json.NewEncoder(e.stdout).Encode(x)
	}
	return x.tree().print(e.stdout, "")
}

func (c walletWhy) posting(e *env, client *apiclient.Client, x *explained) error {
	query := url.Values{"ref": {c.What}}
	if kind, ref, found := strings.Cut(c.What, "/"); found {
		query = url.Values{"kind": {kind}, "ref": {ref}}
	}
	x.Why = &whyRow{}
	if err := client.Call(e.ctx, "GET", walletPath(c.Wallet)+"/why?"+query.Encode(), nil, x.Why); err != nil {
		return err
	}
	var err error
	switch {
	case x.Why.Charge != nil:
		x.Origins, x.More, err = pages[originRow](e, client, c.Limit, walletPath(c.Wallet)+"/charges/"+url.PathEscape(x.Why.Charge.ID)+"/origins", nil)
	case x.Why.Messages != nil:
		m := x.Why.Messages
		x.People, x.More, err = c.people(e, client, m.Broadcast, url.Values{"chunk": {m.Chunk}})
	}
	return err
}

func (c walletWhy) broadcast(e *env, client *apiclient.Client, x *explained) error {
	x.Cost = &costRow{}
	if err := client.Call(e.ctx, "GET", broadcastPath(c.What)+"/cost", nil, x.Cost); err != nil {
		return err
	}
	if x.Cost.Wallet != c.Wallet {
		return fmt.Errorf("broadcast %s is paid by wallet %s", c.What, x.Cost.Wallet)
	}
	if c.Person == "" {
		return nil
	}
	var err error
	x.People, x.More, err = c.people(e, client, c.What, url.Values{"person": {c.Person}})
	if err == nil && len(x.People) == 0 {
		err = fmt.Errorf("nobody of broadcast %s has the id %q", c.What, c.Person)
	}
	return err
}

// people lists people, none for who may not see them.
func (c walletWhy) people(e *env, client *apiclient.Client, broadcast string, query url.Values) ([]personRow, bool, error) {
	people, more, err := pages[personRow](e, client, c.Limit, broadcastPath(broadcast)+"/people", query)
	var p *apiclient.Problem
	if errors.As(err, &p) && (p.Status == http.StatusForbidden || p.Status == http.StatusNotFound) && c.Person == "" {
		return nil, false, nil
	}
	return people, more, err
}

// pages reads pages of a list up to a limit, 0 for all, and reports whether there is more.
func pages[T any](e *env, client *apiclient.Client, limit int, path string, query url.Values) (all []T, more bool, err error) {
	if query == nil {
		query = url.Values{}
	}
	query.Set("limit", fmt.Sprint(maxPage))
	for {
		var page struct {
			Items []T    `json:"items"`
			Next  string `json:"next_cursor"`
		}
		if err := client.Call(e.ctx, "GET", path+"?"+query.Encode(), nil, &page); err != nil {
			return nil, false, err
		}
		all = append(all, page.Items...)
		if limit > 0 && len(all) >= limit {
			return all[:limit], len(all) > limit || page.Next != "", nil
		}
		if page.Next == "" {
			return all, false, nil
		}
		query.Set("cursor", page.Next)
	}
}

// branch is a line of a tree and what hangs on it.
type branch struct {
	text string
	kids []*branch
}

func (b *branch) add(format string, args ...any) *branch {
	kid := &branch{text: fmt.Sprintf(format, args...)}
	b.kids = append(b.kids, kid)
	return kid
}

func (b *branch) print(w io.Writer, indent string) error {
	if _, err := fmt.Fprintln(w, indent+b.text); err != nil {
		return err
	}
	for _, kid := range b.kids {
		if err := kid.print(w, indent+"  "); err != nil {
			return err
		}
	}
	return nil
}

// tree tells it as a bookkeeper reads it: what it is, what caused it, what paid for it.
func (x explained) tree() *branch {
	if x.Cost != nil {
		return x.costTree()
	}
	p := x.Why.Posting
	root := &branch{text: fmt.Sprintf("%s %s, %s", p.Kind, p.Ref, when(p.At))}
	legs := root.add("legs, which sum to 0")
	for _, leg := range []struct {
		name   string
		amount int64
	}{{"free", p.Free}, {"paid", p.Paid}, {"refunding", p.Refunding}, {"accrual", p.Accrual}, {"charging", p.Charging}, {"revenue", p.Revenue},
		{"clearing", p.Clearing}, {"vat", p.VAT}, {"rounding", p.Rounding}, {"promotion", p.Promotion}} {
		if leg.amount != 0 {
			legs.add("%-9s %12s", leg.name, signed(leg.amount))
		}
	}
	if c := x.Why.Corrects; c != nil {
		root.add("corrects the %s %s", c.Kind, c.Ref)
	}
	x.messages(root)
	x.charge(root)
	if m := x.Why.Payment; m != nil {
		b := root.add("%s KRW by %s, %s: order %s", won(m.Total), m.Method, m.Outcome, m.Order)
		for _, fact := range [][2]string{{"payment at the gateway", m.TID}, {"checkout", m.Checkout}, {"refund", m.Refund}, {"of the top-up", m.TopUp}} {
			if fact[1] != "" {
				b.add("%s %s", fact[0], fact[1])
			}
		}
	}
	for _, g := range x.Why.Grants {
		root.add("%s KRW of free cash %s (%s), which expires %s", won(g.Amount), g.Grant, g.Reason, when(g.ExpiresAt))
	}
	paidBy(root, x.Why.PaidBy, x.Why.Unpaid)
	return root
}

// messages tells whom a capture is for.
func (x explained) messages(root *branch) {
	m := x.Why.Messages
	if m == nil {
		return
	}
	b := root.add("%d of %d messages delivered at %s KRW, %d failed, %d not named", m.Delivered, m.People, won(m.Price), m.Failed, m.Unknown)
	b.add("broadcast %s (%s), %s channel of bot %s", m.Broadcast, m.Name, m.Channel, m.Bot)
	if m.TaskID != "" {
		b.add("Kakao's receipt %s", m.TaskID)
	}
	x.peopleUnder(b)
}

// peopleUnder lists people, those who were not reached with the reason.
func (x explained) peopleUnder(b *branch) {
	for _, p := range x.People {
		text := strings.TrimSpace(fmt.Sprintf("%s %s: %s", p.Type, p.ID, p.Outcome))
		if p.Message != "" || p.Error != 0 {
			text += fmt.Sprintf(" (%s)", strings.TrimSpace(strings.TrimPrefix(fmt.Sprintf("%d %s", p.Error, p.Message), "0 ")))
		}
		if p.Posting != "" {
			text += fmt.Sprintf(", %s KRW in %s", won(p.Captured), p.Posting)
		}
		b.add("%s", text)
	}
	if x.More {
		b.add("and more: --limit=0 tells all")
	}
}

// charge tells of the attempts of a charge and what it pays.
func (x explained) charge(root *branch) {
	c := x.Why.Charge
	if c == nil {
		return
	}
	b := root.add("charge %s, %s: %s + %s VAT = %s KRW", c.ID, c.State, won(c.Supply), won(c.VAT), won(c.Total))
	for _, a := range c.Attempts {
		b.add("card %d %s: %s %s", a.Slot, a.Masked, a.Outcome, a.Reason)
	}
	pays := b.add("pays what was accrued by, newest first")
	for _, o := range x.Origins {
		text := fmt.Sprintf("%12s  %s %s, %s", won(o.Paid), o.Kind, o.Ref, when(o.At))
		if o.Earlier > 0 {
			text += fmt.Sprintf("; %s was paid before", won(o.Earlier))
		}
		if o.Later > 0 {
			text += fmt.Sprintf("; %s is left to what pays next", won(o.Later))
		}
		pays.add("%s", text)
	}
	if x.More {
		pays.add("and more: --limit=0 tells all")
	}
}

func (x explained) costTree() *branch {
	c := x.Cost
	root := &branch{text: fmt.Sprintf("broadcast %s: %s KRW in %d postings", c.Broadcast, won(c.Captured), c.Postings)}
	root.add("%12s  free cash", won(c.Free))
	root.add("%12s  paid cash", won(c.Paid))
	owed := root.add("%12s  accrued", won(c.Accrual))
	paidBy(owed, c.PaidBy, c.Unpaid)
	if c.Gone > 0 {
		root.add("%12s  of free cash came back too late to count", won(c.Gone))
	}
	x.peopleUnder(root)
	return root
}

// paidBy tells what paid accrual, the oldest payment first.
func paidBy(b *branch, payers []payerRow, unpaid int64) {
	for _, p := range payers {
		kind := p.Kind
		if p.State != "" {
			kind = "charge (" + p.State + ")"
		}
		b.add("%12s  paid by %s %s, %s", won(p.Amount), kind, p.Ref, when(p.At))
	}
	if unpaid > 0 {
		b.add("%12s  not paid yet", won(unpaid))
	}
}
