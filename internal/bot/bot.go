// Package bot keeps bots (봇): their keys, their people, their channels and their versions, and
// checks what an operator sets of them.
package bot

import (
	"strings"
	"time"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/scenario"
)

// Side is one of the two channels that a bot speaks through. The words are stored.
type Side string

// The sides of a bot.
const (
	Live        Side = "live"        // 운영채널
	Development Side = "development" // 개발채널
)

// Role is what a person is to a bot. The words are stored.
type Role string

// The roles on a bot.
const (
	Master   Role = "master"   // 챗봇 마스터: hears of everything that its wallet does
	Operator Role = "operator" // 봇 작업자
	Viewer   Role = "viewer"   // sees the bot and changes nothing
)

// Bot is a bot as it may be shown: without its keys.
type Bot struct {
	ID            string // Kakao's, without the mark of the development channel
	Name          string
	WalletID      string // empty while it has none; then it sends no broadcast
	RatePerSecond int    // people a second that broadcasts send to
	InFlight      int    // Event API requests at a time
	Sending       Sending
	PausedReason  string // "config" or "provider"; empty while it may send
	PausedAt      time.Time
	Members       []Member
	Channels      []Channel
	Blocks        int   // how many the newest version has
	Version       int64 // the newest; 0 while there is none
	Live          int64 // version that the live channel runs; 0 while there is none
	Talking       scenario.Settings
	CreatedAt     time.Time
}

// Member is one person's role on a bot.
type Member struct {
	AccountID string
	Role      Role
}

// The numbers of a new bot, unless it is told others, and the most that it may be told.
const (
	DefaultRate     = 500
	DefaultInFlight = 8
	maxRate         = 100_000
	maxInFlight     = 1_000
	maxName         = 100
	maxID           = 64
	maxKey          = 200
)

// CheckID checks Kakao's id of a bot.
func CheckID(id string) error {
	if id == "" {
		return fault.Field("id", "is missing; it is the bot id that Kakao shows")
	}
	if strings.HasSuffix(id, "!") {
		return fault.Field("id", "ends in the mark of the development channel; leave the ! out")
	}
	if len(id) > maxID || strings.ContainsFunc(id, notOfID) {
		return fault.Field("id", "must be at most %d letters, digits, - and _", maxID)
	}
	return nil
}

func notOfID(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

// checkRestKey checks a REST API key, and never repeats it.
func checkRestKey(key string) error {
	switch {
	case key == "":
		return fault.Field("rest_api_key", "is missing; it is the REST API key of the app that the channel is linked to")
	case len(key) > maxKey || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fault.Field("rest_api_key", "must be at most %d printable ASCII characters without spaces", maxKey)
	}
	return nil
}

func checkRange(field string, n, most int) error {
	if n < 1 || n > most {
		return fault.Field(field, "must be 1 to %d", most)
	}
	return nil
}
