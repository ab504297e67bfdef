package invoice_test

import (
	"testing"
	"time"

	"github.com/malgil/malgil/internal/invoice"
)

func TestInvoice_words(t *testing.T) {
	november := time.Date(2026, 10, 31, 15, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		invoice      invoice.Invoice
		item, remark string
	}{
		"the first":           {invoice.Invoice{Month: november, WalletName: "한빛서점", Revision: 1}, "챗봇 메시지 발송료 2026년 11월", "월렛 한빛서점"},
		"an amended one":      {invoice.Invoice{Month: november, WalletName: "한빛서점", Revision: 2, Why: "상호 정정", AmendsNo: "202612024100000112345678"}, "챗봇 메시지 발송료 2026년 11월", "월렛 한빛서점 / 수정 상호 정정 / 당초 승인번호 202612024100000112345678"},
		"of one never issued": {invoice.Invoice{Month: november, WalletName: "한빛서점", Revision: 2, Why: "상호 정정"}, "챗봇 메시지 발송료 2026년 11월", "월렛 한빛서점 / 수정 상호 정정"},
	}
	for name, tt := range tests {
		if got := tt.invoice.ItemName(); got != tt.item {
			t.Errorf("%s: ItemName() = %q, want %q", name, got, tt.item)
		}
		if got := tt.invoice.Remark(); got != tt.remark {
			t.Errorf("%s: Remark() = %q, want %q", name, got, tt.remark)
		}
	}
}
