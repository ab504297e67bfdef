// Package notice decides which event of a wallet mails whom, what the mail says, and carries a
// mail to its receiver at least once. It does no I/O itself.
package notice

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/malgil/malgil/internal/fault"
)

// Case names the kind of a notification mail (이메일 알림). The names are stored.
type Case string

// The cases of notification mails.
const (
	CaseTopUp          Case = "topup"            // 캐시 충전 안내
	CaseAutoPaySuccess Case = "auto_pay_success" // 자동결제 성공 안내
	CaseAutoPayFailure Case = "auto_pay_failure" // 자동결제 실패 안내
	CaseUnpaid         Case = "unpaid"           // 월렛 요금 미납 안내
	// 과금 대상채널 연결, 5일 이상 장기 결제 실패 안내
	CaseChannelConnected Case = "channel_connected"
	CaseLongTermFailure  Case = "long_term_failure"
)

// Data is what one case tells its readers, such as [TopUp] or [Unpaid].
type Data interface{ Case() Case }

// Event is something that happened to a wallet and that people must hear of. It is written with
// the event's own transaction, one mail for each receiver; the same subject never mails twice.
type Event struct {
	WalletID string
	Subject  string // identifier of what the mail is about, such as a charge; unique within its case
	Data     Data
	At       time.Time
}

// Case returns the case that the event's data belongs to.
func (e Event) Case() Case { return e.Data.Case() }

// MailID returns the identifier of the mail that the event sends to a receiver. It sorts by the
// time of the event and is the same however often it is asked for, so a mail that is written
// twice is one mail.
func (e Event) MailID(to Receiver) string {
	hash := sha256.New()
	for _, part := range []string{e.WalletID, string(e.Case()), e.Subject, strings.ToLower(to.Address)} {
		fmt.Fprintf(hash, "%d:%s", len(part), part)
	}
	var id ulid.ULID
	copy(id[:], hash.Sum(nil)) // 128 bits, of which the first 48 become the time
	if err := id.SetTime(ulid.Timestamp(e.At)); err != nil {
		panic(fmt.Sprintf("notice: an event at %v: %v", e.At, err)) // beyond the year 10889
	}
	return "mail_" + id.String()
}

// Encode returns the data of an event as it is stored with a mail.
func Encode(data Data) ([]byte, error) {
	body, err := json.Marshal(data)
	if err != nil {
		return nil, fmt.Errorf("encode the data of a %s mail: %w", data.Case(), err)
	}
	return body, nil
}

// Decode reads what [Encode] wrote. A case that this program does not know, or a body that is
// not of the case, is an Internal error.
func Decode(c Case, body []byte) (Data, error) {
	switch c {
	case CaseTopUp:
		return decode[TopUp](body)
	case CaseAutoPaySuccess:
		return decode[AutoPaySuccess](body)
	case CaseAutoPayFailure:
		return decode[AutoPayFailure](body)
	case CaseUnpaid:
		return decode[Unpaid](body)
	case CaseRefundDone:
		return decode[RefundDone](body)
	case CaseChannelConnected:
		return decode[ChannelConnected](body)
	case CaseLongTermFailure:
		return decode[LongTermFailure](body)
	case CaseFreeCashGranted:
		return decode[FreeCashGranted](body)
	case CasePaidCashGranted:
		return decode[PaidCashGranted](body)
	case CaseLowBalance:
		return decode[LowBalance](body)
	case CaseFreeCashExpiring:
		return decode[FreeCashExpiring](body)
	case CaseInvoiceIssued:
		return decode[InvoiceIssued](body)
	case CaseInvoiceFailed:
		return decode[InvoiceFailed](body)
	case CaseBroadcastReport:
		return decode[BroadcastReport](body)
	case CaseScheduleMissed:
		return decode[ScheduleMissed](body)
	}
	return nil, fault.New(fault.Internal, "no mail is known for case %q", c)
}

func decode[D Data](body []byte) (Data, error) {
	var d D
	if err := json.Unmarshal(body, &d); err != nil {
		return nil, fmt.Errorf("decode the data of a %s mail: %w", d.Case(), err)
	}
	return d, nil
}
