package notice

import (
	"cmp"
	"slices"
	"time"

	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/wallet"
)

// CaseBroadcastReport is the mail of what a broadcast came to (발송 결과 안내). The name is stored.
const CaseBroadcastReport Case = "broadcast_report"

// BroadcastReport is what a broadcast to many people came to. Each of them is in exactly one of the five
// counts that follow the audience.
type BroadcastReport struct {
	BroadcastID string     `json:"broadcast_id"`
	Broadcast   string     `json:"broadcast"` // its name
	Bot         string     `json:"bot"`       // name
	Development bool       `json:"development,omitempty"`
	WalletName  string     `json:"wallet_name"`
	Cancelled   bool       `json:"cancelled,omitempty"`
	OrderedAt   time.Time  `json:"ordered_at"`
	StartedAt   time.Time  `json:"started_at,omitzero"` // zero when nobody was sent to
	FinishedAt  time.Time  `json:"finished_at"`
	Audience    int64      `json:"audience"`
	Delivered   int64      `json:"delivered"`
	Failed      int64      `json:"failed"`
	Unknown     int64      `json:"unknown"` // Kakao counts them as failed and does not name them
	Skipped     int64      `json:"skipped"`
	InDoubt     int64      `json:"in_doubt"`
	Price       wallet.KRW `json:"price_krw"` // of a message, without VAT
	Amount      Amount     `json:"amount"`
	Path        string     `json:"path"`

	// Failures and LeftOut tell of Failed and Skipped, most people first; see [BroadcastReport.Explained].
	Failures []Reason `json:"-"`
	LeftOut  []Reason `json:"-"`
}

// Case returns [CaseBroadcastReport].
func (BroadcastReport) Case() Case { return CaseBroadcastReport }

// Expired reports whether people were left because the broadcast had a last moment.
func (d BroadcastReport) Expired() bool {
	return slices.ContainsFunc(d.LeftOut, func(m Reason) bool { return m.Why == LeftByExpiry })
}

// Why says why people were not reached.
type Why string

// Why people were not reached: the first four failed, the others were left out.
const (
	FailedAtKakao Why = "kakao"    // Kakao names them, with a number or in words
	FailedRefused Why = "rejected" // Kakao refused their request
	FailedParked  Why = "parked"   // their request could not be made
	FailedOther   Why = "other"    // for reasons of which there are too many to tell
	LeftByExpiry  Why = "expired"
	LeftByCancel  Why = "cancelled"
	LeftOptedOut  Why = "opted_out"
	LeftNoConsent Why = "no_consent"
	LeftCapped    Why = "capped"
)

const (
	mostReasons = 6  // that a mail tells of one by one
	mostKept    = 50 // kept while they are gathered; Kakao's words could be others for everybody
)

// Reason is one reason and the people who were not reached for it.
type Reason struct {
	Why    Why
	Code   int    // Kakao's number, or 0
	Words  string // Kakao's
	People int64
}

// Reasons gathers why people of a broadcast were not reached. The zero value is empty.
type Reasons struct {
	failed, left []Reason
}

// Fail adds people who failed.
func (r *Reasons) Fail(why Why, people int64) {
	r.failed = add(r.failed, Reason{Why: why, People: people})
}

// Leave adds people who were left out.
func (r *Reasons) Leave(why Why, people int64) {
	r.left = add(r.left, Reason{Why: why, People: people})
}

// Kakao adds so many people whom an answer of Kakao's names as failed.
func (r *Reasons) Kakao(answer []byte, people int64) {
	for _, f := range kakao.Failures(answer) {
		if people == 0 {
			return
		}
		people--
		m := Reason{Why: FailedAtKakao, Code: f.ErrorType, Words: f.Message, People: 1}
		if m.Code == 0 && m.Words == "" || len(r.failed) > mostKept && !slices.ContainsFunc(r.failed, m.like) {
			m = Reason{Why: FailedOther, People: 1}
		}
		r.failed = add(r.failed, m)
	}
	if people > 0 {
		r.Fail(FailedOther, people)
	}
}

// like reports whether two are of one reason: Kakao's number decides, and its words where it has none.
func (m Reason) like(o Reason) bool {
	return m.Why == o.Why && m.Code == o.Code && (m.Code != 0 || m.Words == o.Words)
}

func add(all []Reason, m Reason) []Reason {
	if m.People == 0 {
		return all
	}
	if i := slices.IndexFunc(all, m.like); i >= 0 {
		all[i].People += m.People
		return all
	}
	return append(all, m)
}

// Explained returns a report that tells why people were not reached. Where the reasons do not add up to
// its counts, because an outcome has changed since, it does not tell.
func (d BroadcastReport) Explained(r Reasons) BroadcastReport {
	d.Failures, d.LeftOut = most(r.failed, d.Failed), most(r.left, d.Skipped)
	return d
}

// most returns the reasons of the most people, and one for the rest; none when they are not so many people.
func most(all []Reason, people int64) []Reason {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b Reason) int {
		return cmp.Or(cmp.Compare(asInt(a.Why == FailedOther), asInt(b.Why == FailedOther)), cmp.Compare(b.People, a.People), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Words, b.Words))
	})
	var sum int64
	var told []Reason
	for i, m := range all {
		if sum += m.People; i >= mostReasons {
			m = Reason{Why: FailedOther, People: m.People}
		}
		told = add(told, m)
	}
	if sum != people {
		return nil
	}
	return told
}

func asInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
