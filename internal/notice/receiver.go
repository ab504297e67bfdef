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

// Receiver is a person who gets a mail.
type Receiver struct {
	AccountID string
	Name      string
	Address   string
}

// Receivers returns who gets the mails of a wallet: its master, the holders of the wallet work
// permission and the masters of its bots, each address once whatever its letter case, in the
// order of members.
func Receivers(members []Member) []Receiver {
	var receivers []Receiver
	seen := make(map[string]bool)
	for _, m := range members {
		address := strings.TrimSpace(m.Address)
		key := strings.ToLower(address)
		if address == "" || seen[key] || !hears(m.Role) {
			continue
		}
		seen[key] = true
		receivers = append(receivers, Receiver{AccountID: m.AccountID, Name: m.Name, Address: address})
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
