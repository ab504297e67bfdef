package sample

import (
	"time"

	"github.com/malgil/malgil/internal/clock"
	"github.com/malgil/malgil/internal/invoice"
	"github.com/malgil/malgil/internal/notice"
)

// Invoice is one variant of a tax invoice.
type Invoice struct {
	Name string // names its files
	Data invoice.Invoice
}

// Invoices returns an invoice as it is first issued, and one that takes its place.
func Invoices() []Invoice {
	issued := invoice.Invoice{
		ID: "inv_01JE0Q4T7XK2M9", WalletID: "wal_01JD9Z6Q3M", WalletName: shop, Month: november, Revision: 1,
		Supplier: invoice.Party{
			Number: "2208162517", Name: "주식회사 말길", Representative: "정하람", Address: "서울특별시 마포구 월드컵북로 396, 8층",
			Type: "정보통신업", Item: "응용 소프트웨어 개발 및 공급업", Email: "tax@malgil.example",
		},
		Recipient: invoice.Party{
			Number: "1248100998", Name: "한빛서점 주식회사", Representative: "김하늘", Address: "경기도 수원시 팔달구 정조로 825, 1층 한빛서점",
			Type: "도소매업", Item: "서적, 문구", Email: "books@hanbit.example",
		},
		Supply: 1122273, VAT: 112227, FreeUsed: 50000, Messages: 78151,
		State: invoice.Issued, WrittenOn: time.Date(2026, 11, 30, 0, 0, 0, 0, clock.Seoul).UTC(),
		ClosedAt: time.Date(2026, 12, 1, 0, 10, 0, 0, clock.Seoul).UTC(), IssuedAt: time.Date(2026, 12, 2, 10, 0, 4, 0, clock.Seoul).UTC(),
		ApprovalNumber: "202612024100012300004567",
	}
	amended := issued
	amended.ID, amended.Revision, amended.Amends, amended.AmendsNo, amended.Why = "inv_01JE8V2B6C4H1R", 2, issued.ID, issued.ApprovalNumber, "사업자등록번호 정정"
	amended.Recipient.Number, amended.IssuedAt = "1018176293", time.Date(2026, 12, 7, 14, 32, 0, 0, clock.Seoul).UTC()
	amended.ApprovalNumber = "202612074100012300009012"
	return []Invoice{{"invoice", issued}, {"invoice_amended", amended}}
}

func invoiceMails() []Mail {
	var mails []Mail
	for i, one := range Invoices() {
		doc := one.Data
		mails = append(mails, Mail{[]string{"invoice_issued", "invoice_issued_amended"}[i], notice.InvoiceIssued{
			WalletName: doc.WalletName, InvoiceID: doc.ID, Month: doc.Month, Amount: notice.Amount{Supply: doc.Supply, VAT: doc.VAT, Total: doc.Total()},
			Number: doc.Recipient.Number, Company: doc.Recipient.Name, SentTo: doc.Recipient.Email, ApprovalNumber: doc.ApprovalNumber,
			Amended: doc.Revision > 1, Why: doc.Why, IssuedAt: doc.IssuedAt, Path: wallet + "/invoices",
		}})
	}
	closed := notice.InvoiceFailed{
		WalletName: shop, InvoiceID: "inv_01JE0Q4T7XK2M9", Month: november, Amount: notice.Amount{Supply: 1122273, VAT: 112227, Total: 1234500},
		Number: "1248100998", Reason: invoice.Failure(invoice.CodeClosed), Contact: "tax@malgil.example", Deadline: time.Date(2026, 12, 10, 0, 0, 0, 0, clock.Seoul).UTC(),
		FailedAt: time.Date(2026, 12, 3, 10, 0, 9, 0, clock.Seoul).UTC(), Path: wallet + "/invoices",
	}
	unreached := closed
	unreached.Reason, unreached.Ours, unreached.FailedAt = invoice.Failure(invoice.CodeUnreachable), true, closed.FailedAt.AddDate(0, 0, 4)
	return append(mails, Mail{"invoice_failed", closed}, Mail{"invoice_failed_ours", unreached})
}
