package sandbox_test

import (
	"strings"
	"testing"
	"time"

	"github.com/malgil/malgil/internal/clock"
)

// paper is an order of an invoice of the day before the clock, to a business.
func (b *teller) paper(number string) string {
	day := b.clock.Now().In(clock.Seoul).AddDate(0, 0, -1).Format(time.DateOnly)
	return `{"written_on":"` + day + `","supplier":{"number":"3908100125","name":"(주)모래상사","representative":"김모래"},` +
		`"recipient":{"number":"` + number + `","name":"한빛서점","representative":"이한빛","email":"books@hanbit.example"},` +
		`"supply_krw":1500,"vat_krw":150,"total_krw":1650,"items":[{"name":"메시지","quantity":100,"supply_krw":1500,"vat_krw":150}],"remark":"월렛"}`
}

const (
	hanbit = "1208147521"
	forged = "1208147520"
)

func TestTax_issue(t *testing.T) {
	b := newTeller(t)
	paper := b.paper(hanbit)
	if status, _ := b.call("", "PUT", "/v1/invoices/o-1", paper); status != 401 {
		t.Errorf("no secret = %d, want 401", status)
	}
	b.want("GET", "/v1/invoices/o-1", "", 404, map[string]any{"code": "NO_ORDER"})
	first := b.want("PUT", "/v1/invoices/o-1", paper, 200, map[string]any{"order_id": "o-1", "state": "issued", "number": hanbit, "total_krw": 1650.0})
	if got, want := first["approval_number"], b.clock.Now().In(clock.Seoul).Format("20060102")+"4100000100000001"; got != want {
		t.Errorf("approval_number = %v, want %s", got, want)
	}
	b.want("PUT", "/v1/invoices/o-1", paper, 200, map[string]any{"approval_number": first["approval_number"], "issued_at": first["issued_at"]})
	b.want("GET", "/v1/invoices/o-1", "", 200, map[string]any{"approval_number": first["approval_number"], "state": "issued"})
	b.want("PUT", "/v1/invoices/o-1", strings.Replace(paper, "월렛", "지갑", 1), 409, map[string]any{"code": "OTHER_ORDER"})

	amend := strings.Replace(paper, `"remark"`, `"amends":{"approval_number":"`+first["approval_number"].(string)+`","reason":"상호 정정"},"remark"`, 1)
	second := b.want("PUT", "/v1/invoices/o-2", amend, 200, map[string]any{"state": "issued"})
	if first["approval_number"] == second["approval_number"] {
		t.Errorf("both invoices have the approval number %v, want one each", first["approval_number"])
	}
	all := b.want("GET", "/sandbox/tax/invoices?number=120-81-47521", "", 200, nil)["items"].([]any)
	if len(all) != 2 || all[0].(map[string]any)["amended_by"] != second["approval_number"] {
		t.Errorf("invoices = %v, want both, the first amended by the second", all)
	}
	if got := b.sandbox.Truth().Tax; got.Issued != 2 || got.Amended != 1 || got.SupplyKRW != 1500 || got.VATKRW != 150 || got.Requests["issue"] != 5 {
		t.Errorf("Truth() = %+v, want two issued in five calls, 1500 and 150 KRW in force", got)
	}
}

func TestTax_badOrders(t *testing.T) {
	b := newTeller(t)
	tomorrow := b.clock.Now().In(clock.Seoul).AddDate(0, 0, 1).Format(time.DateOnly)
	yesterday := b.clock.Now().In(clock.Seoul).AddDate(0, 0, -1).Format(time.DateOnly)
	for name, change := range map[string][2]string{
		"a day to come":           {yesterday, tomorrow},
		"no day":                  {yesterday, "어제"},
		"a total of another sum":  {`"total_krw":1650`, `"total_krw":1651`},
		"lines of another sum":    {`"quantity":100,"supply_krw":1500`, `"quantity":100,"supply_krw":1400`},
		"a line without a name":   {`"name":"메시지"`, `"name":""`},
		"a supplier that is none": {"3908100125", "3908100126"},
		"a recipient of no name":  {"한빛서점", ""},
		"amends what is not":      {`"remark"`, `"amends":{"approval_number":"1","reason":"x"},"remark"`},
		"a field nobody knows":    {`"remark"`, `"note"`},
	} {
		if got, answer := b.call("s3", "PUT", "/v1/invoices/"+strings.ReplaceAll(name, " ", "-"), strings.Replace(b.paper(hanbit), change[0], change[1], 1)); got != 400 || answer["code"] != "BAD_ORDER" {
			t.Errorf("%s = %d %v, want 400 BAD_ORDER", name, got, answer)
		}
	}
	if got := b.sandbox.Truth().Tax; got.Issued+got.Pending+got.Refused != 0 {
		t.Errorf("Truth() = %+v, want nothing", got)
	}
}

// A business that is none is refused, for good under this order; another order may do better.
func TestTax_businesses(t *testing.T) {
	b := newTeller(t)
	b.want("PUT", "/v1/invoices/forged", b.paper(forged), 200, map[string]any{"state": "refused", "code": "BAD_NUMBER"})
	b.want("PUT", "/v1/invoices/nowhere", strings.Replace(b.paper(hanbit), "books@", "books", 1), 200, map[string]any{"state": "refused", "code": "BAD_EMAIL"})
	b.want("PUT", "/sandbox/tax/businesses/"+forged, `{"state":"closed"}`, 400, map[string]any{"field": "number"})
	b.want("PUT", "/sandbox/tax/businesses/"+hanbit, `{"state":"gone"}`, 400, map[string]any{"field": "state"})
	for state, code := range map[string]string{"closed": "CLOSED_BUSINESS", "suspended": "SUSPENDED_BUSINESS"} {
		b.want("PUT", "/sandbox/tax/businesses/120-81-47521", `{"state":"`+state+`"}`, 204, nil)
		b.want("PUT", "/v1/invoices/"+state, b.paper(hanbit), 200, map[string]any{"state": "refused", "code": code, "approval_number": nil})
	}
	b.want("PUT", "/sandbox/tax/businesses/"+hanbit, `{"state":"open"}`, 204, nil)
	b.want("PUT", "/v1/invoices/closed", b.paper(hanbit), 200, map[string]any{"state": "refused", "code": "CLOSED_BUSINESS"})
	b.want("PUT", "/v1/invoices/again", b.paper(hanbit), 200, map[string]any{"state": "issued"})
	if got := b.sandbox.Truth().Tax; got.Issued != 1 || got.Refused != 4 {
		t.Errorf("Truth() = %+v, want one issued, four refused", got)
	}
}

// A fault before does nothing, one after does it all; the answer is lost either way.
func TestTax_faults(t *testing.T) {
	for kind, issued := range map[string]int{
		"error_before": 0, "refuse": 0, "throttle": 0, "unauthorized": 0, "error_after": 1, "garbage": 1, "wrong_amount": 1, "pending": 0,
	} {
		t.Run(kind, func(t *testing.T) {
			b := newTeller(t)
			b.want("POST", "/sandbox/faults", `{"target":"tax.issue","fault":"`+kind+`"}`, 201, nil)
			_, answer := b.call("s3", "PUT", "/v1/invoices/o-1", b.paper(hanbit))
			if got := b.sandbox.Truth().Tax.Issued; got != issued {
				t.Errorf("%d invoices after %s (%v), want %d", got, kind, answer, issued)
			}
			b.call("s3", "PUT", "/v1/invoices/o-1", b.paper(hanbit))
			if got := b.sandbox.Truth().Tax; got.Issued+got.Pending != 1 {
				t.Errorf("Truth() after asking again = %+v, want one invoice", got)
			}
		})
	}
}

func TestTax_pending(t *testing.T) {
	b := newTeller(t)
	b.want("POST", "/sandbox/faults", `{"target":"tax.issue","fault":"pending","count":2}`, 201, nil)
	for _, order := range []string{"o-1", "o-2"} {
		b.want("PUT", "/v1/invoices/"+order, b.paper(hanbit), 200, map[string]any{"state": "pending", "approval_number": nil})
	}
	b.want("GET", "/v1/invoices/o-1", "", 200, map[string]any{"state": "pending"})
	if err := b.clock.MoveTo(b.clock.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	b.want("GET", "/v1/invoices/o-1", "", 200, map[string]any{"state": "issued"})
	b.want("PUT", "/sandbox/tax/businesses/"+hanbit, `{"state":"closed"}`, 204, nil)
	b.want("GET", "/v1/invoices/o-2", "", 200, map[string]any{"state": "refused", "code": "CLOSED_BUSINESS"})
}

func TestTax_wrongAmount(t *testing.T) {
	b := newTeller(t)
	b.want("POST", "/sandbox/faults", `{"target":"tax.issue","fault":"wrong_amount"}`, 201, nil)
	b.want("PUT", "/v1/invoices/o-1", b.paper(hanbit), 200, map[string]any{"state": "issued", "total_krw": 1660.0})
	b.want("GET", "/v1/invoices/o-1", "", 200, map[string]any{"total_krw": 1660.0})
}
