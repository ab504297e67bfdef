package intake

import (
	"context"
	"net/http"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/backlog"
	"github.com/malgil/malgil/internal/billing"
	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/invoice"
	"github.com/malgil/malgil/internal/knowledge"
	"github.com/malgil/malgil/internal/notice"
	"github.com/malgil/malgil/internal/queue"
	"github.com/malgil/malgil/internal/retention"
	"github.com/malgil/malgil/internal/scenario"
	"github.com/malgil/malgil/internal/store"
	"github.com/malgil/malgil/internal/wallet"
	"github.com/malgil/malgil/internal/webhook"
)

// Services are what the routes call.
type Services struct {
	Gate       Gate
	Accounts   Accounts
	Wallets    Wallets
	Giver      Giver
	Prices     Pricer
	Bots       Bots
	Broadcasts Broadcasts
	Schedules  Schedules
	Lists      PeopleLists
	Billing    Billing
	Books      Reconciler
	Explain    Explainer
	Words      Words
	Mails      Mails
	Webhooks   Webhooks
	Queues     Queues
	Backlog    Backlog
	MuteLinks  notice.MuteLinks // the addresses in mails at which receivers mute them
	Read       Reader
	// Follow is told which rows billing made due; it enqueues them. The sweep finds what it drops.
	Follow func(ctx context.Context, rows []billing.Follow)
	// Ran is told what a payer who came back, or a person's word, did to a checkout or charge: it counts that as a run
	// of billing, calls a person where one is needed, and enqueues what follows.
	Ran func(ctx context.Context, id string, r billing.Result)
	// Skill answers POST /skill/{bot}/{key}.
	Skill http.Handler
	// Checks are asked by /readyz, in order.
	Checks []Check
	// Observe is told of every request when it has been answered. route is a pattern such as
	// "/api/v1/wallets/{id}", or "" for none of ours.
	Observe func(route, method string, status int, elapsed time.Duration)
}

// follow tells which rows billing made due.
func (s *Server) follow(ctx context.Context, next []billing.Follow) {
	if len(next) > 0 && s.services.Follow != nil {
		s.services.Follow(ctx, next)
	}
}

// ran tells what somebody did to a checkout or charge.
func (s *Server) ran(ctx context.Context, id string, r billing.Result) {
	if r.Outcome != "" && s.services.Ran != nil {
		s.services.Ran(ctx, id, r)
	}
}

// Check is something that has to answer for the process to be ready.
type Check struct {
	Name string // one word that may be shown to anybody
	Ask  func(ctx context.Context) error
}

// Gate knows tokens.
type Gate interface {
	Authenticate(ctx context.Context, secret string) (access.Principal, error)
	// Permit says why somebody may not do something to an object, or nil.
	Permit(ctx context.Context, p access.Principal, right access.Permission, o access.Object) error
	IssueBy(ctx context.Context, by access.Principal, n access.NewToken) (t access.Token, secret string, err error)
}

// Accounts makes accounts.
type Accounts interface {
	Create(ctx context.Context, name, email string) (access.Account, error)
	Change(ctx context.Context, id string, c access.AccountChange) error
}

// Wallets opens wallets and keeps their people.
type Wallets interface {
	Open(ctx context.Context, n access.NewWallet) (id string, err error)
	PutMember(ctx context.Context, by access.Principal, walletID, accountID string, role access.WalletRole) error
	DropMember(ctx context.Context, walletID, accountID string) error
	Change(ctx context.Context, id string, c access.WalletChange, platform bool) error
	Delete(ctx context.Context, id string) error
}

// Bots changes bots.
type Bots interface {
	Create(ctx context.Context, n bot.New) (b bot.Bot, skillKey string, err error)
	Change(ctx context.Context, id string, c bot.Change) (bot.Bot, error)
	RotateKey(ctx context.Context, id string) (skillKey string, err error)
	RotateWebhookSecret(ctx context.Context, id string) (secret string, formerUntil time.Time, err error)
	Import(ctx context.Context, id string, i bot.Import) (bot.Imported, error)
	Teach(ctx context.Context, id string, item knowledge.Item, on int64, i bot.Import) (bot.Taught, error)
	Deploy(ctx context.Context, id string, version int64, by, reason string) (bot.Deploy, error)
	RollBack(ctx context.Context, id string, from int64, by, reason string) (bot.Deploy, error)
	PutChannel(ctx context.Context, id string, side bot.Side, name string) (bot.Channel, error)
	ChangeChannel(ctx context.Context, id string, side bot.Side, change bot.ChannelChange) (bot.Channel, error)
	Connect(ctx context.Context, id string, side bot.Side) (bot.Channel, error)
	Disconnect(ctx context.Context, id string, side bot.Side, force bool) (bot.Channel, error)
	PutApp(ctx context.Context, a bot.App) error
	SetUpPlugin(ctx context.Context, id string, p bot.Plugin) (set bot.BotPlugin, fresh bool, err error)
	ReviewPlugin(ctx context.Context, id string, p bot.Plugin, passed bool) (bot.BotPlugin, error)
	RemovePlugin(ctx context.Context, id string, p bot.Plugin) error
	PutCertificationBlock(ctx context.Context, id string, b bot.CertificationBlock) (bot.CertificationBlock, error)
	DropCertificationBlock(ctx context.Context, id, block string) error
	Resume(ctx context.Context, id string) (bot.Bot, error)
}

// Broadcasts takes orders; [broadcast.Desk] does.
type Broadcasts interface {
	Create(ctx context.Context, o broadcast.Order, r broadcast.Request) (broadcast.Broadcast, error)
	Send(ctx context.Context, o broadcast.Order, people []broadcast.Recipient, r broadcast.Request) (broadcast.Broadcast, error)
	SendAtOnce(ctx context.Context, o broadcast.Order, people []broadcast.Recipient, r broadcast.Request) (broadcast.Broadcast, error)
	Upload(ctx context.Context, id broadcast.ID, rows broadcast.Rows, o broadcast.UploadOptions) (broadcast.Report, error)
	UseAudience(ctx context.Context, id broadcast.ID, from broadcast.AudienceID, o broadcast.UploadOptions) (broadcast.Report, error)
	CreateAudience(ctx context.Context, botID, name string) (broadcast.Audience, error)
	UploadAudience(ctx context.Context, id broadcast.AudienceID, rows broadcast.Rows, o broadcast.UploadOptions) (broadcast.Report, error)
	DeleteAudience(ctx context.Context, id broadcast.AudienceID) error
	Approve(ctx context.Context, id broadcast.ID, account string) (broadcast.Broadcast, error)
	Seal(ctx context.Context, id broadcast.ID, o broadcast.Sealing) (broadcast.Broadcast, error)
	Pause(ctx context.Context, id broadcast.ID) (broadcast.Broadcast, error)
	Resume(ctx context.Context, id broadcast.ID) (broadcast.Broadcast, error)
	Cancel(ctx context.Context, id broadcast.ID) (broadcast.Broadcast, error)
	Decide(ctx context.Context, d broadcast.Decision) (broadcast.Decided, error)
	Preview(ctx context.Context, id broadcast.ID, named []broadcast.Recipient, seed uint64) ([]broadcast.Preview, error)
	Test(ctx context.Context, o broadcast.TestOrder, r broadcast.Request) (broadcast.Broadcast, error)
	Retry(ctx context.Context, o broadcast.RetryOrder, r broadcast.Request) (broadcast.Broadcast, error)
}

// Schedules order broadcasts by the calendar; [broadcast.Timetable] does.
type Schedules interface {
	Create(ctx context.Context, o broadcast.ScheduleOrder, r broadcast.Request) (broadcast.Schedule, error)
	Change(ctx context.Context, id broadcast.ScheduleID, c broadcast.ScheduleChange) (broadcast.Schedule, error)
	Pause(ctx context.Context, id broadcast.ScheduleID) (broadcast.Schedule, error)
	Resume(ctx context.Context, id broadcast.ScheduleID) (broadcast.Schedule, error)
	Delete(ctx context.Context, id broadcast.ScheduleID) error
	Next(ctx context.Context, id broadcast.ScheduleID, n int) ([]time.Time, error)
	Preview(cron, zone string, n int) ([]time.Time, error)
}

// Billing moves money; [billing.Service] does.
type Billing interface {
	StartTopUp(ctx context.Context, o billing.TopUpOrder) (billing.Checkout, error)
	StartCard(ctx context.Context, accountID string, r billing.Request) (billing.Checkout, error)
	Checkout(ctx context.Context, id string) (billing.Checkout, error)
	Return(ctx context.Context, id, key, pgToken string) (billing.Checkout, billing.Result, error)
	TurnBack(ctx context.Context, id, key string, failed bool) (billing.Checkout, error)
	AccountCards(ctx context.Context, accountID string) ([]billing.Card, error)
	WalletCards(ctx context.Context, walletID string) ([]billing.Card, error)
	Card(ctx context.Context, id string) (billing.Card, error)
	AttachCard(ctx context.Context, walletID, accountID, cardID string) error
	SetCards(ctx context.Context, walletID, accountID string, cardIDs []string) error
	DetachCard(ctx context.Context, walletID, accountID, cardID string) error
	RemoveCard(ctx context.Context, accountID, cardID string) error
	Reconnect(ctx context.Context, walletID string) error
	Decide(ctx context.Context, d billing.Decision) (billing.Result, error)
	DecideCheckout(ctx context.Context, d billing.CheckoutDecision) error
	OpenRefund(ctx context.Context, o billing.RefundOrder) (billing.Refund, []billing.Follow, error)
	Invoice(ctx context.Context, walletID, id string) (invoice.Invoice, error)
	ReissueInvoice(ctx context.Context, o billing.InvoiceOrder) (invoice.Invoice, []billing.Follow, error)
	AmendInvoice(ctx context.Context, o billing.InvoiceOrder) (invoice.Invoice, []billing.Follow, error)
	SettleInvoice(ctx context.Context, o billing.InvoiceSettlement) (invoice.Invoice, error)
	SendInvoice(ctx context.Context, o billing.InvoiceOrder) (invoice.Invoice, error)
	QuoteRefund(ctx context.Context, walletID string, supply wallet.KRW) (billing.Refund, error)
	Refund(ctx context.Context, walletID, id string) (billing.Refund, error)
	SettleRefund(ctx context.Context, walletID, id string, wentBack bool, r billing.Request) (billing.Refund, error)
	SetRefundAccount(ctx context.Context, walletID string, a billing.OneTimeAccount) (billing.OneTimeAccount, error)
	RefundAccount(ctx context.Context, walletID string) (billing.OneTimeAccount, error)
	SetRepresentative(ctx context.Context, walletID, name string) error
}

// Mails keeps the mails and who gets which; [store.Store] does.
type Mails interface {
	PutMute(ctx context.Context, m notice.Mute) error
	DropMute(ctx context.Context, m notice.Mute) error
	Mutes(ctx context.Context, walletID string) ([]notice.Mute, error)
	MuteOf(ctx context.Context, mailID string) (store.MailMute, error)
	Mails(ctx context.Context, walletID string, n notice.Narrow, limit int) ([]notice.Record, error)
	ResendMail(ctx context.Context, r notice.Resend) (notice.Record, error)
}

// Webhooks makes and changes webhooks; [webhook.Admin] does.
type Webhooks interface {
	Create(ctx context.Context, n webhook.New) (h webhook.Hook, secret string, err error)
	Change(ctx context.Context, id string, c webhook.Change) (webhook.Hook, error)
	Delete(ctx context.Context, id string) error
	Ping(ctx context.Context, id string) (webhook.Delivery, error)
	Replay(ctx context.Context, id, delivery string) (webhook.Delivery, error)
}

// Queues looks into the queues and stops them; [queue.Inspector] does.
type Queues interface {
	Loads(ctx context.Context, queues []string) (map[string]queue.Load, error)
	Paused(ctx context.Context, queues []string) (map[string]bool, error)
	SetPaused(ctx context.Context, queue string, paused bool) error
	Bury(ctx context.Context, queue string, taskIDs []string) (int, error)
}

// Backlog keeps which tasks died and which queues are paused; [store.Store] does.
type Backlog interface {
	Pauses(ctx context.Context) ([]backlog.Pause, error)
	PutPause(ctx context.Context, p backlog.Pause) (backlog.Pause, error)
	DropPause(ctx context.Context, queue string) error
	DeadTasks(ctx context.Context, f backlog.Filter, before string, limit int) ([]backlog.Dead, error)
	DeadGroups(ctx context.Context) ([]backlog.Group, error)
	RetryDead(ctx context.Context, p backlog.Pick, by backlog.Decision) (backlog.Outcome, error)
	DiscardDead(ctx context.Context, p backlog.Pick, by backlog.Decision) (backlog.Outcome, error)
}

// Reader reads what is shown, and changes what no rule has a word on; [store.Store] does.
type Reader interface {
	Tokens(ctx context.Context, sight access.Sight, after string, limit int) ([]access.Token, error)
	RevokeToken(ctx context.Context, id string, now time.Time) error
	Account(ctx context.Context, id string) (access.Account, error)
	SetAdmin(ctx context.Context, id string, admin bool) error
	Accounts(ctx context.Context, sight access.Sight, after string, limit int) ([]access.Account, error)
	Wallet(ctx context.Context, id string) (wallet.Wallet, error)
	WalletView(ctx context.Context, id string) (store.WalletView, error)
	WalletViews(ctx context.Context, sight access.Sight, after string, limit int) ([]store.WalletView, error)
	Postings(ctx context.Context, walletID string, before store.PostingMark, limit int) ([]wallet.Posting, error)
	History(ctx context.Context, walletID string, f store.HistoryFilter, before store.PostingMark, known *wallet.Balances, limit int) ([]store.HistoryEntry, error)
	Days(ctx context.Context, walletID string, from, until time.Time) ([]wallet.DaySummary, error)
	Statement(ctx context.Context, walletID string, month, now time.Time, write func(store.Statement) error) error
	Gifts(ctx context.Context, walletID, before string, limit int) ([]wallet.Gift, error)
	Prices(ctx context.Context) (wallet.Prices, error)
	Charges(ctx context.Context, walletID, before string, limit int) ([]store.ChargeView, error)
	Charge(ctx context.Context, id string) (store.ChargeView, error)
	ChargesInReview(ctx context.Context, after string, limit int) ([]store.ChargeView, error)
	CheckoutsInReview(ctx context.Context, after string, limit int) ([]billing.Checkout, error)
	Refunds(ctx context.Context, walletID, before string, limit int) ([]billing.Refund, error)
	Invoices(ctx context.Context, walletID, before string, limit int) ([]invoice.Invoice, error)
	UnissuedInvoices(ctx context.Context, after store.InvoiceMark, limit int) ([]invoice.Invoice, error)
	BotDetails(ctx context.Context, id string) (bot.Bot, error)
	BotList(ctx context.Context, sight access.Sight, after string, limit int) ([]bot.Bot, error)
	Version(ctx context.Context, botID string, version int64) (bot.Version, error)
	Versions(ctx context.Context, botID string, before int64, limit int) ([]bot.Version, error)
	Deploys(ctx context.Context, botID string, before int64, limit int) ([]bot.Deploy, error)
	BotContent(ctx context.Context, botID string, version int64) (scenario.Content, error)
	Apps(ctx context.Context, after string, limit int) ([]bot.App, error)
	Heard(ctx context.Context, botID, side string, since time.Time, last int, unanswered bool) ([]scenario.Heard, error)
	UtteranceList(ctx context.Context, botID, why, outcome string, after store.UtteranceMark, limit int) ([]scenario.Utterance, error)
	Plugins(ctx context.Context, botID string) ([]bot.BotPlugin, error)
	Purges(ctx context.Context, botID, before string, limit int) ([]retention.Receipt, error)
	CertificationBlocks(ctx context.Context, botID string) ([]bot.CertificationBlock, error)
	App(ctx context.Context, id string) (bot.App, error)
	Audience(ctx context.Context, id broadcast.AudienceID) (broadcast.Audience, error)
	AudienceList(ctx context.Context, f store.AudienceFilter, after broadcast.AudienceID, limit int) ([]broadcast.Audience, error)
	Schedule(ctx context.Context, id broadcast.ScheduleID) (broadcast.Schedule, error)
	ScheduleList(ctx context.Context, f store.ScheduleFilter, after broadcast.ScheduleID, limit int) ([]broadcast.Schedule, error)
	ScheduleRuns(ctx context.Context, id broadcast.ScheduleID, before time.Time, limit int) ([]store.RunView, error)
	Hook(ctx context.Context, id string) (webhook.Hook, error)
	Hooks(ctx context.Context, f store.HookFilter, after string, limit int) ([]webhook.Hook, error)
	Deliveries(ctx context.Context, hookID string, state webhook.State, before string, limit int) ([]webhook.Delivery, error)
	Broadcast(ctx context.Context, id broadcast.ID) (broadcast.Broadcast, error)
	Broadcasts(ctx context.Context, f store.BroadcastFilter, before broadcast.ID, limit int) ([]broadcast.Broadcast, error)
	HeldBy(ctx context.Context, id broadcast.ID) (wallet.KRW, error)
	Chunks(ctx context.Context, id broadcast.ID, state broadcast.ChunkState, after, limit int) ([]store.ChunkView, error)
	ChunkStates(ctx context.Context, id broadcast.ID) (map[broadcast.ChunkState]int, error)
	Audit(ctx context.Context, f store.AuditFilter, before int64, limit int) ([]access.Entry, error)
	VerifyAudit(ctx context.Context) (access.AuditReport, error)
	FailedChunks(ctx context.Context, id broadcast.ID, after, limit int) ([]store.FailedChunk, error)
}
