package notice

import "strings"

// Role is what a person is to a wallet or to a bot that the wallet pays for. The names are stored.
type Role string

// Roles that matter to mails. Every other role hears nothing.
const (
	WalletMaster Role = "wallet_master" // 월렛 마스터
	WalletWorker Role = "wallet_worker" // 월렛 작업자: a bot operator with the wallet work permission
	BotMaster    Role = "bot_master"    // 챗봇 마스터
	BotOperator  Role = "bot_operator"  // 봇 작업자
)

// Member is one role of one person. A person with several roles comes several times.
type Member struct {
	AccountID string
	Name      string
	Address   string // of mail; empty when the person has none
	Role      Role
}

// Receiver is who gets a mail: a person, or an address of a wallet.
type Receiver struct {
	AccountID string // of a person
	Name      string
	Address   string
}

// Receivers returns who gets the mails of a wallet that do not go to senders: its master, the holders of the wallet work
// permission and the masters of its bots, in the order of members, then others; each address once
// whatever its letter case.
func Receivers(members []Member, others ...Receiver) []Receiver {
	var receivers []Receiver
	seen := make(map[string]bool)
	add := func(r Receiver) {
		r.Address = strings.TrimSpace(r.Address)
		key := strings.ToLower(r.Address)
		if key == "" || seen[key] {
			return
		}
		seen[key] = true
		receivers = append(receivers, r)
	}
	for _, m := range members {
		if hears(m.Role) {
			add(Receiver{AccountID: m.AccountID, Name: m.Name, Address: m.Address})
		}
	}
	for _, other := range others {
		add(other)
	}
	return receivers
}

func hears(r Role) bool {
	switch r {
	case WalletMaster, WalletWorker, BotMaster:
		return true
	case BotOperator:
		return false
	}
	return false
}

// ToSenders reports whether the mails of a case go to those who send with a bot: its masters, and the author of
// what they are about, whatever he is to the bot or its wallet.
func (c Case) ToSenders() bool { return c == CaseBroadcastReport || c == CaseScheduleMissed }
