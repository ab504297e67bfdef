package pay

import (
	"crypto/rand"
	_ "embed"
	"html/template"
	"mime"
	"net/http"
	"net/url"
	"strconv"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/sandbox/answer"
)

//go:embed payer.html
var pageSource string

var page = template.Must(template.New("payer").Funcs(template.FuncMap{"won": won}).Parse(pageSource))

// won writes an amount as people read it: 110,000원.
func won(amount int64) string {
	digits := strconv.FormatInt(amount, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits + "원"
}

// showPage is GET /sandbox/pay/{tid}: what the payer sees at KakaoPay.
func (g *Gateway) showPage(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	p := g.byTID[r.PathValue("tid")]
	var view struct {
		Item     string
		Total    int64
		Register bool
		Open     bool
		Cards    []Card
	}
	status := http.StatusNotFound
	if p != nil && !p.recurring {
		view.Item, view.Total, view.Register, view.Open = p.itemName, p.asked, p.cid == cidRecurring, g.open(p)
		for _, c := range g.cards {
			view.Cards = append(view.Cards, c.Card)
		}
		status = http.StatusOK
		if view.Open {
			p.status = statusOpen
		}
	}
	g.mu.Unlock()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = page.Execute(w, view) // the browser has left
}

// open tells whether the payer may still choose; the caller holds the lock.
func (g *Gateway) open(p *payment) bool {
	return (p.status == statusReady || p.status == statusOpen) && g.options.Clock.Now().Sub(p.createdAt) <= readyLife
}

type payerAct struct {
	Card   string `json:"card"`
	Action string `json:"action"` // pay (the default), cancel or fail
}

// actAsPayer is POST /sandbox/pay/{tid}: with a form it sends the browser on, with JSON it says
// where a browser would go.
func (g *Gateway) actAsPayer(w http.ResponseWriter, r *http.Request) {
	var act payerAct
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	form := media == "application/x-www-form-urlencoded"
	if form {
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		act = payerAct{Card: r.PostFormValue("card"), Action: r.PostFormValue("action")}
	} else if err := answer.Read(r, &act); err != nil {
		answer.Problem(w, err)
		return
	}
	to, err := g.payer(r.PathValue("tid"), act)
	switch {
	case err != nil:
		answer.Problem(w, err)
	case form:
		http.Redirect(w, r, to, http.StatusSeeOther)
	default:
		answer.JSON(w, http.StatusOK, map[string]string{"redirect_url": to})
	}
}

// payer does what a payer does at KakaoPay and returns where his browser goes next.
func (g *Gateway) payer(tid string, act payerAct) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.byTID[tid]
	switch {
	case p == nil || p.recurring:
		return "", fault.New(fault.NotFound, "there is no payment with this tid")
	case !g.open(p):
		return "", fault.New(fault.Conflict, "the payment is %s or its 15 minutes are over", p.status)
	}
	switch act.Action {
	case "cancel":
		p.status = statusQuit
		return p.cancelURL, nil
	case "fail":
		p.status = statusBadAuth
		return p.failURL, nil
	case "", "pay":
	default:
		return "", fault.Field("action", "action is pay, cancel or fail")
	}
	if act.Card == "" {
		return "", fault.Field("card", "card is the name of a card")
	}
	to, err := url.Parse(p.approvalURL)
	if err != nil {
		return "", fault.Field("approval_url", "the merchant's approval_url is no address")
	}
	p.card, p.status, p.pgToken = g.cardNamed(act.Card), statusAuth, rand.Text()
	query := to.Query()
	query.Set("pg_token", p.pgToken)
	to.RawQuery = query.Encode()
	return to.String(), nil
}
