package bot

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/malgil/malgil/internal/fault"
)

// ChannelState says whether a channel is connected. The words are stored.
type ChannelState string

// The states of a channel.
const (
	Connected         ChannelState = "connected"
	Disconnected      ChannelState = "disconnected"       // 연결 해제
	AwaitingReconnect ChannelState = "awaiting_reconnect" // 연결 대기중: paid, a person reconnects
)

// Cause is why a channel is not connected. The words are stored.
type Cause string

// The causes. A channel that its wallet lost waits for a reconnect when the wallet has paid; one that
// an operator disconnected does not.
const (
	ByWallet   Cause = "wallet"   // the wallet became unpaid
	ByOperator Cause = "operator" // somebody disconnected it
)

// Channel (카카오톡 채널) is one side of a bot.
type Channel struct {
	Side     Side
	Name     string
	State    ChannelState
	Cause    Cause  // empty while it is connected
	AppID    string // of the Kakao app that it is linked to, or empty
	Verified bool   // a business channel (비즈니스 채널 인증)
	Deployed bool   // the bot's blocks were deployed to it (배포)
}

// ChannelChange is what to set of a channel; nil leaves a field as it is. An empty app unlinks it.
type ChannelChange struct {
	AppID    *string
	Verified *bool
	Deployed *bool
	Force    bool // unlink a development channel although that breaks plugins; see [Carried]
}

// App is a Kakao app that channels are linked to.
type App struct {
	ID        string // Kakao's
	Name      string
	Verified  bool // a biz-app (비즈 앱, 비즈니스 인증)
	KakaoSync bool // Kakao Sync (카카오싱크) is linked
	CreatedAt time.Time

	TermsReviewed        bool // the terms of the simple signup (카카오 간편가입 약관)
	PersonalDataNeeded   bool // it uses personal-data items of Kakao Login that Kakao reviews
	PersonalDataReviewed bool
}

// ChannelStore keeps channels and apps.
type ChannelStore interface {
	// PutChannel names a side. A new one stands as the bot's wallet does, and whoever hears of the
	// wallet is told of one that is connected; one that is there keeps its state.
	PutChannel(ctx context.Context, id string, side Side, name string, now time.Time) (Channel, error)
	// ChangeChannel sets what is given, NotFound without the channel and Invalid without the app. Taking a
	// development channel from its app is refused, or with force breaks plugins, as [Carried] says.
	ChangeChannel(ctx context.Context, id string, side Side, c ChannelChange, now time.Time) (Channel, error)
	// ConnectChannel connects a channel and tells whoever hears of the wallet. It is a Conflict
	// while the wallet is not ACTIVE.
	ConnectChannel(ctx context.Context, id string, side Side, now time.Time) (Channel, error)
	// DisconnectChannel disconnects a channel and recalls what is queued for its bot. A development
	// channel is refused, or with force breaks plugins, as [Carried] says.
	DisconnectChannel(ctx context.Context, id string, side Side, force bool, now time.Time) (Channel, error)
	// PutApp makes or changes an app.
	PutApp(ctx context.Context, a App) error
}

// checkSide says that there is no such side.
func checkSide(side Side) error {
	if side != Live && side != Development {
		return fault.New(fault.NotFound, "a bot has the sides live and development")
	}
	return nil
}

// CheckName checks the name of a bot, a channel or an app.
func CheckName(name string) error {
	switch {
	case name == "":
		return fault.Field("name", "is missing")
	case utf8.RuneCountInString(name) > maxName:
		return fault.Field("name", "must be at most %d characters", maxName)
	case !fault.OneLine(name):
		return fault.Field("name", "must be one line of text, without control characters")
	}
	return nil
}

// PutChannel connects a side of a bot, or renames it.
func (a *Admin) PutChannel(ctx context.Context, id string, side Side, name string) (Channel, error) {
	name = strings.TrimSpace(name)
	if err := checkSide(side); err != nil {
		return Channel{}, err
	}
	if err := CheckName(name); err != nil {
		return Channel{}, err
	}
	c, err := a.store.PutChannel(ctx, id, side, name, a.now())
	return c, wrapChannel(err, "put", id, side)
}

// ChangeChannel sets what is given of a channel: facts that Kakao decides on and Malgil is told of. Taking a
// development channel from its app breaks plugins that an approved certification block uses: it is a
// Conflict that names them, unless it is forced.
func (a *Admin) ChangeChannel(ctx context.Context, id string, side Side, change ChannelChange) (Channel, error) {
	if err := checkSide(side); err != nil {
		return Channel{}, err
	}
	c, err := a.store.ChangeChannel(ctx, id, side, change, a.now())
	return c, wrapChannel(err, "change", id, side)
}

// Connect connects a channel that somebody disconnected. It is a Conflict while the bot's wallet is
// unpaid or waits to be reconnected as a whole.
func (a *Admin) Connect(ctx context.Context, id string, side Side) (Channel, error) {
	if err := checkSide(side); err != nil {
		return Channel{}, err
	}
	c, err := a.store.ConnectChannel(ctx, id, side, a.now())
	return c, wrapChannel(err, "connect", id, side)
}

// Disconnect disconnects a channel: broadcasts on it wait until somebody connects it again. Of a development
// channel it is refused, unless it is forced, as [Admin.ChangeChannel] is.
func (a *Admin) Disconnect(ctx context.Context, id string, side Side, force bool) (Channel, error) {
	if err := checkSide(side); err != nil {
		return Channel{}, err
	}
	c, err := a.store.DisconnectChannel(ctx, id, side, force, a.now())
	return c, wrapChannel(err, "disconnect", id, side)
}

func wrapChannel(err error, did, id string, side Side) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s channel %s of bot %s: %w", did, side, id, err)
}

// PutApp makes or changes a Kakao app.
func (a *Admin) PutApp(ctx context.Context, app App) error {
	app.Name, app.CreatedAt = strings.TrimSpace(app.Name), a.now()
	if app.ID == "" || len(app.ID) > maxID || strings.ContainsFunc(app.ID, notOfID) {
		return fault.Field("id", "must be 1 to %d letters, digits, - and _", maxID)
	}
	if err := CheckName(app.Name); err != nil {
		return err
	}
	if err := a.store.PutApp(ctx, app); err != nil {
		return fmt.Errorf("keep app %s: %w", app.ID, err)
	}
	return nil
}
