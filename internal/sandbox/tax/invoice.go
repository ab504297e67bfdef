package tax

import (
	"net/http"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/sandbox/answer"
	"github.com/malgil/malgil/internal/sandbox/clerk"
)

// party is one side of an invoice.
type party struct {
	Number         string `json:"number"`
	Name           string `json:"name"`
	Representative string `json:"representative"`
	Address        string `json:"address"`
	Type           string `json:"type"`
	Item           string `json:"item"`
	Email          string `json:"email"`
}

// line is one line of an invoice.
type line struct {
	Name     string `json:"name"`
	Quantity int64  `json:"quantity"`
	Supply   int64  `json:"supply_krw"`
	VAT      int64  `json:"vat_krw"`
}

// amends names the invoice that another stands in place of.
type amends struct {
	ApprovalNumber string `json:"approval_number"`
	Reason         string `json:"reason"`
}

// paper is what an invoice says.
type paper struct {
	WrittenOn string  `json:"written_on"`
	Supplier  party   `json:"supplier"`
	Recipient party   `json:"recipient"`
	Supply    int64   `json:"supply_krw"`
	VAT       int64   `json:"vat_krw"`
	Total     int64   `json:"total_krw"`
	Items     []line  `json:"items"`
	Remark    string  `json:"remark"`
	Amends    *amends `json:"amends,omitempty"`
}

// invoice is an order and what became of it.
type invoice struct {
	OrderID string `json:"order_id"`
	paper

	State          string     `json:"state"` // issued, pending or refused
	TakenAt        time.Time  `json:"taken_at"`
	IssuedAt       *time.Time `json:"issued_at,omitempty"`
	ApprovalNumber string     `json:"approval_number,omitempty"`
	Code           string     `json:"code,omitempty"`
	Message        string     `json:"message,omitempty"`
	AmendedBy      string     `json:"amended_by,omitempty"` // approval number of the invoice that stands in its place

	asked string // the body of the order, to know another one
}

// told is an order as its owner is told.
type told struct {
	OrderID        string     `json:"order_id"`
	Number         string     `json:"number"`
	Total          int64      `json:"total_krw"`
	State          string     `json:"state"`
	IssuedAt       *time.Time `json:"issued_at,omitempty"`
	ApprovalNumber string     `json:"approval_number,omitempty"`
	Code           string     `json:"code,omitempty"`
	Message        string     `json:"message,omitempty"`
}

func (i *invoice) told() told {
	return told{i.OrderID, i.Recipient.Number, i.Total, i.State, i.IssuedAt, i.ApprovalNumber, i.Code, i.Message}
}

// issue is PUT /v1/invoices/{order}.
func (c *Carrier) issue(o clerk.Order) (any, *clerk.Refusal) {
	var p paper
	if err := answer.Decode(o.Body, &p); err != nil {
		return nil, clerk.Bad("%s", fault.MessageOf(err))
	}
	if before, known := c.byOrder[o.ID]; known {
		if before.asked != string(o.Body) {
			return nil, clerk.Other("this order was made for another invoice")
		}
		c.answer(before)
		return before.told(), nil
	}
	now := c.options.Clock.Now()
	if wrong := c.wrong(p, now); wrong != nil {
		return nil, wrong
	}
	if o.Hit.Kind == WrongAmount {
		p.Supply, p.Total = p.Supply+10, p.Total+10
	}
	i := &invoice{OrderID: o.ID, paper: p, State: "pending", TakenAt: now, asked: string(o.Body)}
	c.orders = append(c.orders, i)
	c.byOrder[o.ID] = i
	if o.Hit.Kind != Pending {
		c.decide(i, now)
	}
	return i.told(), nil
}

// lookUp is GET /v1/invoices/{order}.
func (c *Carrier) lookUp(o clerk.Order) (any, *clerk.Refusal) {
	i, known := c.byOrder[o.ID]
	if !known {
		return nil, clerk.None()
	}
	c.answer(i)
	return i.told(), nil
}

// wrong says what makes an order one that no carrier takes.
func (c *Carrier) wrong(p paper, now time.Time) *clerk.Refusal {
	writtenOn, err := time.ParseInLocation(time.DateOnly, p.WrittenOn, clock.Seoul)
	var supply, vat int64
	for _, l := range p.Items {
		supply, vat = supply+l.Supply, vat+l.VAT
		if l.Name == "" {
			return clerk.Bad("a line has no name")
		}
	}
	switch {
	case err != nil:
		return clerk.Bad("written_on is a date")
	case writtenOn.After(now):
		return clerk.Bad("written_on is to come")
	case p.Supply <= 0 || p.VAT < 0 || p.Total != p.Supply+p.VAT:
		return clerk.Bad("supply_krw is above 0, and total_krw is the sum of supply_krw and vat_krw")
	case len(p.Items) == 0 || supply != p.Supply || vat != p.VAT:
		return clerk.Bad("the lines do not add up")
	case !isBusinessNumber(p.Supplier.Number) || p.Supplier.Name == "" || p.Supplier.Representative == "":
		return clerk.Bad("the supplier has no number, name or representative")
	case p.Recipient.Name == "":
		return clerk.Bad("the recipient has no name")
	case p.Amends != nil && c.approved(p.Amends.ApprovalNumber) == nil:
		return clerk.Bad("it amends an invoice that there is not")
	case p.Amends != nil && p.Amends.Reason == "":
		return clerk.Bad("it amends an invoice for no reason")
	}
	return nil
}

// approved returns the invoice of an approval number, nil when there is none.
func (c *Carrier) approved(number string) *invoice {
	for _, i := range c.orders {
		if number != "" && i.ApprovalNumber == number {
			return i
		}
	}
	return nil
}

// answer has the tax office answer for an order that waits for long enough.
func (c *Carrier) answer(i *invoice) {
	if now := c.options.Clock.Now(); i.State == "pending" && !now.Before(i.TakenAt.Add(pendingFor)) {
		c.decide(i, now)
	}
}

// decide issues an order, or refuses it for good.
func (c *Carrier) decide(i *invoice, now time.Time) {
	number := i.Recipient.Number
	switch {
	case !isBusinessNumber(number):
		i.refuse("BAD_NUMBER", "등록되지 않은 사업자등록번호입니다")
	case c.businesses[number] == closed:
		i.refuse("CLOSED_BUSINESS", "폐업한 사업자입니다")
	case c.businesses[number] == suspended:
		i.refuse("SUSPENDED_BUSINESS", "휴업 중인 사업자입니다")
	case !strings.Contains(i.Recipient.Email, "@"):
		i.refuse("BAD_EMAIL", "받는 사람의 이메일 주소가 올바르지 않습니다")
	default:
		i.State, i.IssuedAt, i.ApprovalNumber = "issued", &now, c.approve(now)
		if i.Amends != nil {
			c.approved(i.Amends.ApprovalNumber).AmendedBy = i.ApprovalNumber
		}
	}
}

func (i *invoice) refuse(code, message string) { i.State, i.Code, i.Message = "refused", code, message }

// Truth is what happened at the carrier.
type Truth struct {
	Requests  map[string]int `json:"requests"` // by call, refused ones too
	Issued    int            `json:"issued"`   // amended ones too
	Amended   int            `json:"amended"`  // that another stands in place of
	Pending   int            `json:"pending"`
	Refused   int            `json:"refused"`
	SupplyKRW int64          `json:"supply_krw"` // of those issued that no other stands in place of
	VATKRW    int64          `json:"vat_krw"`
}

// Truth sums up what happened.
func (c *Carrier) Truth() Truth {
	c.mu.Lock()
	defer c.mu.Unlock()
	truth := Truth{Requests: c.clerk.Requests()}
	for _, i := range c.orders {
		switch i.State {
		case "pending":
			truth.Pending++
		case "refused":
			truth.Refused++
		default:
			truth.Issued++
			if i.AmendedBy != "" {
				truth.Amended++
				continue
			}
			truth.SupplyKRW, truth.VATKRW = truth.SupplyKRW+i.Supply, truth.VATKRW+i.VAT
		}
	}
	return truth
}

// list is GET /sandbox/tax/invoices: in the order they were taken, of a business where ?number= names
// one.
func (c *Carrier) list(w http.ResponseWriter, r *http.Request) {
	number := strings.ReplaceAll(r.FormValue("number"), "-", "")
	c.mu.Lock()
	var all []invoice
	for _, i := range c.orders {
		if number == "" || i.Recipient.Number == number {
			all = append(all, *i)
		}
	}
	c.mu.Unlock()
	clerk.List(w, r, all)
}
