package app

import (
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/invoice"
)

// Invoicing is what tax invoices (세금계산서) need: who hands them to the tax office, and who stands on
// them as the supplier.
type Invoicing struct {
	TaxURL    string `name:"tax-url" env:"MALGIL_TAX_URL" url:"" placeholder:"URL" help:"Carrier of tax invoices (전자세금계산서); without it none are issued."`
	TaxSecret string `name:"tax-secret" env:"MALGIL_TAX_SECRET" secret:"" help:"Secret of the carrier."`

	SupplierNumber         string `env:"MALGIL_SUPPLIER_NUMBER" help:"Business registration number (사업자등록번호) of whoever runs this installation, as on its invoices."`
	SupplierName           string `env:"MALGIL_SUPPLIER_NAME" help:"Its name (상호)."`
	SupplierRepresentative string `env:"MALGIL_SUPPLIER_REPRESENTATIVE" help:"Its representative (대표자 성명)."`
	SupplierAddress        string `env:"MALGIL_SUPPLIER_ADDRESS" help:"Its address (사업장 주소)."`
	SupplierType           string `env:"MALGIL_SUPPLIER_TYPE" help:"Its type of business (업태)."`
	SupplierItem           string `env:"MALGIL_SUPPLIER_ITEM" help:"Its line of business (종목)."`
	SupplierEmail          string `env:"MALGIL_SUPPLIER_EMAIL" help:"E-mail address of its bookkeeping."`
}

// invoiceMoments returns when something falls due about the tax invoices of the month before the day that
// begins at a midnight; see [scheduler.Mover].
func (p *parts) invoiceMoments(midnight time.Time) []time.Time {
	var today []time.Time
	due := invoice.DatesOf(clock.MonthStart(clock.MonthStart(midnight).Add(-time.Hour)), p.holidays)
	for _, moment := range []time.Time{due.Close, due.Issue, due.Again, due.GiveUp} {
		if clock.Midnight(moment).Equal(midnight) {
			today = append(today, moment)
		}
	}
	return today
}

// maxPartyText is the most bytes of a text about the supplier.
const maxPartyText = 200

// Supplier returns the supplier (공급자) of every invoice, and everything that is missing or wrong about
// it, each a [*fault.Error] of its setting.
func (i Invoicing) Supplier() (invoice.Party, []error) {
	var wrong []error
	text := func(name, value string) string {
		value, err := fault.Line(name, value, maxPartyText)
		if err == nil && value == "" {
			err = fault.Field(name, "is missing; it stands on every tax invoice")
		}
		if err != nil {
			wrong = append(wrong, err)
		}
		return value
	}
	checked := func(name, value string, check func(field, value string) (string, error)) string {
		before := len(wrong)
		if value = text(name, value); len(wrong) > before {
			return value
		}
		value, err := check(name, value)
		if err != nil {
			wrong = append(wrong, err)
		}
		return value
	}
	p := invoice.Party{
		Number:         checked("MALGIL_SUPPLIER_NUMBER", i.SupplierNumber, access.CheckBusinessNumber),
		Name:           text("MALGIL_SUPPLIER_NAME", i.SupplierName),
		Representative: text("MALGIL_SUPPLIER_REPRESENTATIVE", i.SupplierRepresentative),
		Address:        text("MALGIL_SUPPLIER_ADDRESS", i.SupplierAddress),
		Type:           text("MALGIL_SUPPLIER_TYPE", i.SupplierType),
		Item:           text("MALGIL_SUPPLIER_ITEM", i.SupplierItem),
		Email:          checked("MALGIL_SUPPLIER_EMAIL", i.SupplierEmail, access.CheckEmail),
	}
	return p, wrong
}

// check returns everything that is wrong; nothing is where no invoices are issued.
func (i Invoicing) check() []error {
	if (i.TaxURL == "") != (i.TaxSecret == "") {
		return []error{fault.Field("MALGIL_TAX_SECRET", "and MALGIL_TAX_URL belong together; set both for tax invoices, or neither")}
	}
	if i.TaxURL == "" {
		return nil
	}
	_, wrong := i.Supplier()
	return wrong
}
