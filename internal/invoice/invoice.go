// Package invoice makes the monthly tax invoices (세금계산서) of business wallets: what they say, when
// they are due, and what becomes of them.
package invoice

import (
	"time"

	"github.com/malgil/malgil/internal/wallet"
)

// Party is one side of an invoice (공급자, 공급받는자) as it is registered for business.
type Party struct {
	Number         string `json:"number"`         // 사업자등록번호, ten digits
	Name           string `json:"name"`           // 상호
	Representative string `json:"representative"` // 대표자 성명
	Address        string `json:"address"`        // 사업장 주소
	Type           string `json:"type"`           // 업태
	Item           string `json:"item"`           // 종목
	Email          string `json:"email"`
}

// State is where an invoice stands. The names are stored.
type State string

// The states of an invoice.
const (
	Waiting State = "waiting" // closed, issued when its time comes
	Issued  State = "issued"  // 발행 완료
	Failed  State = "failed"  // 발행 실패: given up until somebody asks for it again
)

// Invoice is the consumption of one wallet in one month, without free cash. There is one for each
// wallet, month and revision.
type Invoice struct {
	ID         string
	WalletID   string
	WalletName string
	Month      time.Time // 00:00 in Korea of the 1st
	Revision   int       // 1 for the first, then one more for each amended invoice (수정세금계산서)
	Amends     string    // identifier of the revision before; empty for the first
	AmendsNo   string    // its approval number
	Why        string    // it was amended, such as "사업자등록번호 정정"; empty for the first

	Supplier  Party // 공급자
	Recipient Party // 공급받는자

	Supply, VAT wallet.KRW // 공급가액, 세액: 10 % of it, rounded once
	FreeUsed    wallet.KRW // free cash that was used beside; not invoiced
	Messages    int64      // that were delivered

	State          State
	WrittenOn      time.Time // 작성일자: a moment of the last day of the month
	ClosedAt       time.Time
	AskedAt        time.Time // a person asked for it; zero while the calendar did
	NextAt         time.Time // of the next try to issue it, while it waits
	Again          time.Time // of the one retry after it was refused
	GiveUp         time.Time // until then a carrier that cannot be reached is tried
	Deadline       time.Time // see [Dates]
	IssuedAt       time.Time
	ApprovalNumber string // 승인번호 of the tax office, once issued
	FailedAt       time.Time
	Code           string // why it is not issued, in a word
	Failure        string // and in Korean, for its reader
	LastOrder      string // at the carrier, of the attempt that was made last
}

// RetryAt returns when an invoice that was refused at a time is handed over once more; false for one
// that is given up. What a person asked for is answered at once.
func (i Invoice) RetryAt(now time.Time) (at time.Time, again bool) {
	return i.Again, i.AskedAt.IsZero() && now.Before(i.Again)
}

// TooLate reports whether the calendar may not issue an invoice any more: its legal date is over, and a
// person has to decide.
func (i Invoice) TooLate(now time.Time) bool {
	return i.AskedAt.IsZero() && !now.Before(i.Deadline)
}

// GivesUp reports whether a carrier that cannot be reached is not tried any more. What a person asked
// for is tried for a day at least.
func (i Invoice) GivesUp(now time.Time) bool {
	return !now.Before(i.GiveUp) && !now.Before(i.AskedAt.Add(24*time.Hour))
}

// SameAs reports whether two parties are the same by what the law has on an invoice of them (필요적
// 기재사항): the number and the name.
func (p Party) SameAs(q Party) bool { return p.Number == q.Number && p.Name == q.Name }

// Total returns what the recipient owes or has paid (합계금액).
func (i Invoice) Total() wallet.KRW { return i.Supply + i.VAT }
