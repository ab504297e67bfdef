package notice

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

// kinds is every case, as people call it, and whether its mails come whatever their receiver wants.
var kinds = []struct {
	of     Case
	korean string
	always bool
}{
	{CaseLowBalance, "월렛 잔액 부족 안내", false},
	{CaseUnpaid, "월렛 요금 미납 안내", true},
	{CaseChannelConnected, "과금 대상 채널 연결 안내", false},
	{CaseFreeCashGranted, "무상캐시 지급 안내", false},
	{CasePaidCashGranted, "유상캐시 지급 안내", false},
	{CaseFreeCashExpiring, "무상캐시 만료 안내", false},
	{CaseAutoPaySuccess, "자동결제 성공 안내", false},
	{CaseAutoPayFailure, "자동결제 실패 안내", false},
	{CaseLongTermFailure, "5일 이상 장기 결제 실패 안내", true},
	{CaseTopUp, "캐시 충전 안내", false},
	{CaseRefundDone, "환불 완료 안내", false},
	{CaseInvoiceIssued, "세금계산서 발행 안내", true},
	{CaseInvoiceFailed, "세금계산서 발행 실패 안내", true},
	{CaseBroadcastReport, "발송 결과 안내", false},
	{CaseScheduleMissed, "예약 발송 누락 안내", false},
}

// Cases returns every case, in the order of the documentation.
func Cases() []Case {
	all := make([]Case, len(kinds))
	for i, k := range kinds {
		all[i] = k.of
	}
	return all
}

// Korean returns what people call the mails of a case, such as "캐시 충전 안내"; empty for no case.
func (c Case) Korean() string {
	for _, k := range kinds {
		if k.of == c {
			return k.korean
		}
	}
	return ""
}

// CanMute reports whether a receiver may do without the mails of a case.
func (c Case) CanMute() bool {
	for _, k := range kinds {
		if k.of == c {
			return !k.always
		}
	}
	return false
}

// Mute is the mails of a case about a wallet that somebody does without. Everybody gets everything
// until he does.
type Mute struct {
	WalletID  string
	AccountID string
	Name      string // of the account, when it is read
	Case      Case
	Since     time.Time
}

// CheckMute says why a case cannot be muted, or nil.
func CheckMute(c Case) error {
	switch {
	case c.Korean() == "":
		return fault.Field("case", "is none of %s", muteable())
	case !c.CanMute():
		return &fault.Error{Kind: fault.Invalid, Field: "case", Code: "MAIL_ALWAYS_SENT",
			Message: "mails of the case " + string(c) + " are always sent; what can be muted is " + muteable()}
	}
	return nil
}

// muteable lists the cases that can be muted.
func muteable() string {
	var words []string
	for _, k := range kinds {
		if !k.always {
			words = append(words, string(k.of))
		}
	}
	return strings.Join(words, ", ")
}

// MuteLinks are the addresses at which a receiver mutes the mails of a kind: each is of one mail
// and holds a signature, so that nobody mutes for another. The zero value has none.
type MuteLinks struct {
	base string
	key  []byte
}

// NewMuteLinks returns the links of an installation that people reach at a public URL; without one
// there are none. secret is any key of the installation that stays: the links are signed under one
// derived from it for them alone.
func NewMuteLinks(publicURL string, secret []byte) MuteLinks {
	if publicURL == "" {
		return MuteLinks{}
	}
	return MuteLinks{base: strings.TrimRight(publicURL, "/"), key: sign(secret, "malgil: links that mute mails")}
}

// Of returns the address at which the receiver of a mail mutes its kind; empty where he cannot.
func (l MuteLinks) Of(c Case, mailID string) string {
	if l.base == "" || !c.CanMute() {
		return ""
	}
	return l.base + "/mute/" + mailID + "/" + l.token(mailID)
}

// Opens reports whether a token is that of a mail's link. It takes as long for any token.
func (l MuteLinks) Opens(mailID, token string) bool {
	return l.base != "" && hmac.Equal([]byte(l.token(mailID)), []byte(token))
}

func (l MuteLinks) token(mailID string) string {
	return base64.RawURLEncoding.EncodeToString(sign(l.key, mailID))
}

func sign(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
