package access

import "slices"

// Role is what a person is to an object, or to the platform. One person may have several. The
// words are shown.
type Role string

// The roles.
const (
	PlatformAdmin Role = "platform_admin" // runs the installation; a token of no account has this role
	ChatbotMaster Role = "chatbot_master" // 챗봇 마스터: gives the wallet permission to operators of his bot
	BotOperator   Role = "bot_operator"   // 봇 작업자
	WalletMaster  Role = "wallet_master"  // 월렛 마스터: owns the wallet
	WalletWorker  Role = "wallet_worker"  // 월렛 작업자: has the wallet permission (월렛 작업 권한)
	Viewer        Role = "viewer"         // of a wallet or a bot: sees it and changes nothing
	Owner         Role = "owner"          // of his account and what belongs to it: cards, tokens, checkouts
	Anybody       Role = "anybody"        // whoever has a token
)

// Permission is something that a person may do to an object. The words are shown.
type Permission string

// The permissions.
const (
	SeePublic    Permission = "see_public" // oneself, prices
	ListOwn      Permission = "list_own"   // lists hold what their reader may see
	KeepPlatform Permission = "keep_platform"
	CheckAudit   Permission = "check_audit"

	ReadAccount  Permission = "read_account"
	KeepTokens   Permission = "keep_tokens" // make and revoke tokens of an account
	ReadCards    Permission = "read_cards"
	RegisterCard Permission = "register_card"
	RemoveCard   Permission = "remove_card"
	OpenWallet   Permission = "open_wallet" // with the account as its master

	ReadWallet      Permission = "read_wallet"
	QuoteWallet     Permission = "quote_wallet"
	GiveWalletWork  Permission = "give_wallet_work"  // make operators of its bots workers of the wallet, and end that
	KeepMembers     Permission = "keep_members"      // any role on the wallet
	LeaveWallet     Permission = "leave_wallet"      // and, with one of the two above, have somebody leave it
	PutCards        Permission = "put_cards"         // put own cards on the wallet, take them off, order all
	TakeOthersCards Permission = "take_others_cards" // take cards of others off the wallet
	TopUp           Permission = "top_up"
	AskRefund       Permission = "ask_refund" // of unused paid cash, and where it goes
	Reconnect       Permission = "reconnect"
	ReadCheckout    Permission = "read_checkout"
	BillWallet      Permission = "bill_wallet"   // let a bot be billed to the wallet
	ChangeWallet    Permission = "change_wallet" // its name, business data, status and daily limit; its invoices; delete it
	GiveCash        Permission = "give_cash"     // of the platform alone
	UseCash         Permission = "use_cash"      // make free cash count
	MuteMails       Permission = "mute_mails"    // do without mails of the wallet; with change_wallet have others do without

	ReadBot        Permission = "read_bot"
	KeepBot        Permission = "keep_bot" // its name, keys, people, wallet, pace and channels
	EditBlocks     Permission = "edit_blocks"
	ResumeBot      Permission = "resume_bot"
	OrderBroadcast Permission = "order_broadcast" // order, upload, seal
	SteerBroadcast Permission = "steer_broadcast" // pause, resume, cancel
	ReadBroadcast  Permission = "read_broadcast"
	ReadPeople     Permission = "read_people" // whom a broadcast did not reach
)

// rights is what each role may do to what it is a role on. What is not in it is denied. A
// platform admin may do everything to everything.
var rights = map[Role][]Permission{
	Anybody: {SeePublic, ListOwn},
	Owner: {
		ReadAccount, KeepTokens, ReadCards, RegisterCard, RemoveCard, OpenWallet, ReadCheckout,
	},
	WalletMaster: {
		ReadWallet, QuoteWallet, GiveWalletWork, KeepMembers, LeaveWallet, PutCards, TakeOthersCards, TopUp, AskRefund, Reconnect,
		ReadCheckout, BillWallet, ChangeWallet, UseCash, MuteMails, ReadBot, ReadBroadcast,
	},
	WalletWorker: {
		ReadWallet, QuoteWallet, LeaveWallet, PutCards, TopUp, UseCash, AskRefund, Reconnect, MuteMails, ReadCheckout, ReadBot, ReadBroadcast,
	},
	ChatbotMaster: {
		ReadWallet, QuoteWallet, GiveWalletWork, LeaveWallet, Reconnect, MuteMails,
		ReadBot, KeepBot, EditBlocks, ResumeBot, OrderBroadcast, SteerBroadcast, ReadBroadcast, ReadPeople,
	},
	BotOperator: {
		QuoteWallet, ReadBot, EditBlocks, ResumeBot, OrderBroadcast, SteerBroadcast, ReadBroadcast, ReadPeople,
	},
	Viewer: {ReadWallet, QuoteWallet, LeaveWallet, ReadBot, ReadBroadcast},
}

// Allows reports whether a role has a permission.
func (r Role) Allows(p Permission) bool {
	return r == PlatformAdmin && p != "" || slices.Contains(rights[r], p)
}

// Kind is a kind of object that people have roles on. The words are stored.
type Kind string

// The kinds of objects.
const (
	Platform    Kind = "platform" // the installation itself: everybody's
	OfAccount   Kind = "account"
	OfToken     Kind = "token"
	OfCard      Kind = "card"
	OfCheckout  Kind = "checkout"
	OfWallet    Kind = "wallet"
	OfBot       Kind = "bot"
	OfBroadcast Kind = "broadcast"
	OfAudience  Kind = "audience"
	OfSchedule  Kind = "schedule"
	OfWebhook   Kind = "webhook"
)

// Object is something that people have roles on. The platform has no id.
type Object struct {
	Kind Kind   `json:"kind"`
	ID   string `json:"id,omitempty"`
}
