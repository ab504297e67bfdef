package app

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/invoice"
)

var invoicing = Invoicing{
	TaxURL: "https://tax.example", TaxSecret: "secret",
	SupplierNumber: "390-81-00125", SupplierName: "(주)모래상사", SupplierRepresentative: "김모래", SupplierAddress: "제주특별자치도 제주시 첨단로 242",
	SupplierType: "서비스", SupplierItem: "소프트웨어 개발 및 공급", SupplierEmail: "tax@sand.example",
}

func TestInvoicing_Supplier(t *testing.T) {
	want := invoice.Party{
		Number: "3908100125", Name: "(주)모래상사", Representative: "김모래", Address: "제주특별자치도 제주시 첨단로 242",
		Type: "서비스", Item: "소프트웨어 개발 및 공급", Email: "tax@sand.example",
	}
	got, wrong := invoicing.Supplier()
	if diff := cmp.Diff(want, got); diff != "" || len(wrong) > 0 {
		t.Errorf("Supplier() = %v (-want +got):\n%s", wrong, diff)
	}
}

// Tax invoices are set up whole or not at all, and all that is wrong is named at once.
func TestConfig_Check_invoicing(t *testing.T) {
	const all = "NUMBER NAME REPRESENTATIVE ADDRESS TYPE ITEM EMAIL"
	tests := map[string]struct {
		change func(*Invoicing)
		want   string // what is named, without MALGIL_ and SUPPLIER_
	}{
		"whole":                  {func(*Invoicing) {}, ""},
		"none":                   {func(i *Invoicing) { *i = Invoicing{} }, ""},
		"a supplier alone":       {func(i *Invoicing) { i.TaxURL, i.TaxSecret = "", "" }, ""},
		"no secret":              {func(i *Invoicing) { i.TaxSecret = "" }, "TAX_SECRET"},
		"no address":             {func(i *Invoicing) { i.TaxURL = "" }, "TAX_SECRET"},
		"in the open":            {func(i *Invoicing) { i.TaxURL = "http://tax.example" }, "TAX_URL"},
		"no supplier":            {func(i *Invoicing) { *i = Invoicing{TaxURL: i.TaxURL, TaxSecret: "s"} }, all},
		"a wrong check digit":    {func(i *Invoicing) { i.SupplierNumber = "390-81-00124" }, "NUMBER"},
		"no number at all":       {func(i *Invoicing) { i.SupplierNumber = "12345" }, "NUMBER"},
		"no address of mail":     {func(i *Invoicing) { i.SupplierEmail = "tax" }, "EMAIL"},
		"a line in an address":   {func(i *Invoicing) { i.SupplierEmail = "tax@sand.example\r\nBcc: x@y.example" }, "EMAIL"},
		"lines in a name":        {func(i *Invoicing) { i.SupplierName = "모래\n상사" }, "NAME"},
		"more than fits":         {func(i *Invoicing) { i.SupplierAddress = strings.Repeat("가", 70) }, "ADDRESS"},
		"spaces where text is":   {func(i *Invoicing) { i.SupplierItem = "  " }, "ITEM"},
		"two problems told both": {func(i *Invoicing) { i.SupplierType, i.SupplierEmail = "", "x" }, "TYPE EMAIL"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			config := Config{Invoicing: invoicing}
			tt.change(&config.Invoicing)
			var named []string
			for _, err := range config.Check(Roles{Scheduler: true}).(interface{ Unwrap() []error }).Unwrap() {
				field := err.(*fault.Error).Field
				if strings.HasPrefix(field, "MALGIL_TAX_") || strings.HasPrefix(field, "MALGIL_SUPPLIER_") {
					named = append(named, strings.TrimPrefix(strings.TrimPrefix(field, "MALGIL_"), "SUPPLIER_"))
				}
			}
			if got := strings.Join(named, " "); got != tt.want {
				t.Errorf("Check() names %q, want %q", got, tt.want)
			}
		})
	}
}
