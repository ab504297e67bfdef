package notice

import "time"

// ChannelConnected is a channel that was connected to a bot whose messages are billed (과금 대상
// 채널 연결).
type ChannelConnected struct {
	WalletName  string    `json:"wallet_name"`
	Bot         string    `json:"bot"`
	Channel     string    `json:"channel"`
	Development bool      `json:"development,omitempty"` // 개발채널, else 운영채널
	ConnectedAt time.Time `json:"connected_at"`
	Path        string    `json:"path"`
}

// LongTermFailure is a wallet that has been unpaid for days (장기 결제 실패).
type LongTermFailure struct {
	WalletName string    `json:"wallet_name"`
	Due        Amount    `json:"due"`
	Days       int       `json:"days"`
	Since      time.Time `json:"since"`
	NextTryAt  time.Time `json:"next_try_at"`
	Path       string    `json:"path"`
}

// Case returns [CaseChannelConnected].
func (ChannelConnected) Case() Case { return CaseChannelConnected }

// Case returns [CaseLongTermFailure].
func (LongTermFailure) Case() Case { return CaseLongTermFailure }
