package bot

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

// Plugin (플러그인) is something that Kakao does for the blocks of a bot. The words are stored.
type Plugin string

// The plugins.
const (
	KakaoSync   Plugin = "kakao_sync"   // 카카오싱크: signs somebody up
	Profile     Plugin = "profile"      // 프로필이용
	Location    Plugin = "location"     // 위치전송, 현위치
	SecureImage Plugin = "secure_image" // 보안 이미지
	Payment     Plugin = "payment"      // 일회성 결제, 옵션 결제
	TaskChain   Plugin = "task_chain"   // 태스크 체인
	Consult     Plugin = "consult"      // 상담 연결
)

// Plugins lists every plugin in the order in which they are shown.
var Plugins = []Plugin{KakaoSync, Profile, Location, SecureImage, Payment, TaskChain, Consult}

// PluginState says whether a bot may use a plugin. The words are stored.
type PluginState string

// The states of a plugin.
const (
	PluginOff        PluginState = "off"         // never asked for, or removed
	PluginReady      PluginState = "ready"       // set up
	PluginNeedsSetup PluginState = "needs_setup" // it was ready and is broken; asking for it again sets it up
)

// Breakage is why a plugin needs to be set up again. The words are stored.
type Breakage string

// What breaks a plugin.
const (
	DevelopmentDisconnected Breakage = "development_disconnected"
	DevelopmentUnlinked     Breakage = "development_unlinked" // from its app
)

// BotPlugin is how a plugin stands with a bot.
type BotPlugin struct {
	Plugin   Plugin
	State    PluginState
	Cause    Breakage  // of needs_setup, else empty
	Since    time.Time // of its state; zero where it was never asked for
	Reviewed bool      // Kakao's own review of it has passed; see [Plugin.Reviewable]

	Prerequisites []Prerequisite
}

// Prerequisite is one thing that Kakao asks for before a bot may use a plugin.
type Prerequisite struct {
	Field string // what of the bot tells whether it is met
	Do    string // what is missing and how to get it, as after the field
	Days  Days
	Met   bool
}

// Days are the business days (영업일) that Kakao takes for something; zero where that is not told.
type Days struct{ From, To int }

// PluginFacts is what is known of a bot that asks for a plugin.
type PluginFacts struct {
	Live, Development *Channel // nil for one that it has not
	App               *App     // that the live channel is linked to; nil for none
	Reviewed          bool     // as of the plugin
}

// condition is one prerequisite as data.
type condition struct {
	field, do string
	days      Days
	met       func(PluginFacts) bool
}

// The prerequisites, with the business days of Kakao's help centre, "플러그인 신청시 승인까지 기간은 얼마나
// 소요되나요?" and "플러그인을 사용하려면 반드시 비즈니스 인증을 받아야하나요?".
var (
	businessChannel = condition{
		"channel.verified", "is missing: have Kakao certify the live channel as a business channel (비즈니스 채널 인증), then set it", Days{3, 5},
		func(f PluginFacts) bool { return f.Live != nil && f.Live.Verified },
	}
	linkedChannel = condition{
		"channel.app", "is missing: link the live channel to a Kakao app, then set it", Days{},
		func(f PluginFacts) bool { return f.App != nil },
	}
	bizApp = condition{
		"app.verified", "is missing: have Kakao certify the app of the live channel as a biz-app (비즈 앱), then set it", Days{},
		func(f PluginFacts) bool { return f.App != nil && f.App.Verified },
	}
	sameApp = condition{
		"development.app", "must be the app of the live channel: link the development channel to it, then set it", Days{},
		func(f PluginFacts) bool {
			return f.App != nil && f.Development != nil && f.Development.AppID == f.App.ID
		},
	}
	// A wallet that does not pay takes no channel out of its app: what it disconnects comes back by itself.
	connectedDevelopment = condition{
		"development.state", "is disconnected: connect the development channel again", Days{},
		func(f PluginFacts) bool { return f.Development == nil || f.Development.Cause != ByOperator },
	}
	signupTerms = condition{
		"app.terms_reviewed", "is missing: have Kakao review the terms of the simple signup (카카오 간편가입 약관), then set it", Days{3, 5},
		func(f PluginFacts) bool { return f.App != nil && f.App.TermsReviewed },
	}
	personalData = condition{
		"app.personal_data_reviewed", "is missing: have Kakao review the personal-data items of Kakao Login (개인정보 동의항목), then set it", Days{3, 5},
		func(f PluginFacts) bool { return f.App != nil && f.App.PersonalDataReviewed },
	}
	personalDataIfNeeded = condition{
		personalData.field, personalData.do, personalData.days,
		func(f PluginFacts) bool {
			return f.App == nil || !f.App.PersonalDataNeeded || f.App.PersonalDataReviewed
		},
	}
	locationBusiness = condition{
		"plugin.reviewed", "is missing: have Kakao check the location business (위치기반서비스 사업자), then set it", Days{2, 3}, reviewed,
	}
	requestForm = condition{
		"plugin.reviewed", "is missing: hand in Kakao's request form (신청서) and wait until it is accepted, then set it", Days{2, 3}, reviewed,
	}
)

func reviewed(f PluginFacts) bool { return f.Reviewed }

// conditions is what each plugin asks for, in the order in which it is shown.
var conditions = map[Plugin][]condition{
	KakaoSync:   {businessChannel, linkedChannel, bizApp, sameApp, connectedDevelopment, signupTerms, personalData},
	Profile:     {businessChannel, linkedChannel, bizApp, sameApp, connectedDevelopment, personalDataIfNeeded},
	Location:    {businessChannel, connectedDevelopment, locationBusiness},
	SecureImage: {businessChannel},
	Payment:     {businessChannel, requestForm},
	TaskChain:   {businessChannel, requestForm},
	Consult:     {businessChannel},
}

// Prerequisites lists what a plugin asks of a bot.
func (p Plugin) Prerequisites(f PluginFacts) []Prerequisite {
	list := make([]Prerequisite, len(conditions[p]))
	for i, c := range conditions[p] {
		list[i] = Prerequisite{Field: c.field, Do: c.do, Days: c.days, Met: c.met(f)}
	}
	return list
}

// Reviewable reports whether Kakao reviews the plugin itself for each bot, beyond its channels and app.
func (p Plugin) Reviewable() bool {
	return slices.ContainsFunc(conditions[p], func(c condition) bool { return c.field == locationBusiness.field })
}

// Check says why a bot may not use a plugin: a Conflict that names everything that is missing at once, with
// the business days that Kakao takes for it.
func (p Plugin) Check(f PluginFacts) error {
	var missing []fault.Part
	for _, q := range p.Prerequisites(f) {
		if !q.Met {
			missing = append(missing, fault.Part{Field: q.Field, Message: q.Do + q.Days.text()})
		}
	}
	if missing == nil {
		return nil
	}
	return &fault.Error{Kind: fault.Conflict, Code: "PLUGIN_NOT_READY", Message: "the bot may not use the plugin " + string(p) + " yet", Parts: missing}
}

func (d Days) text() string {
	if d == (Days{}) {
		return ""
	}
	return fmt.Sprintf("; Kakao takes %d to %d business days", d.From, d.To)
}

// CertificationBlock (인증블록) is a block whose plugins sign somebody up or ask for his profile or place. Kakao
// approves it.
type CertificationBlock struct {
	ID       string // Kakao's
	Name     string
	Plugins  []Plugin // of certifiable
	Approved bool
}

// certifiable are the plugins of certification blocks. They break when the development channel is let go
// after the block was approved (help centre: "인증블록 승인 후, 개발채널 연결을 끊어도 되나요?").
var certifiable = []Plugin{KakaoSync, Profile, Location}

// LetGo says how a change of a channel lets a development channel go, which breaks plugins; empty where it
// does not.
func LetGo(before, after Channel) Breakage {
	switch {
	case before.Side != Development:
	case after.Cause == ByOperator && before.Cause != ByOperator:
		return DevelopmentDisconnected
	case before.AppID != "" && after.AppID != before.AppID:
		return DevelopmentUnlinked
	}
	return ""
}

// Carried returns the plugins that break when the development channel is let go: those that are ready and
// that an approved certification block uses. refusal, nil without any, is a Conflict that names them.
func Carried(plugins []BotPlugin, blocks []CertificationBlock) (broken []Plugin, refusal error) {
	var parts []fault.Part
	for _, p := range plugins {
		if p.State != PluginReady || !slices.Contains(certifiable, p.Plugin) {
			continue
		}
		var users []string
		for _, b := range blocks {
			if b.Approved && slices.Contains(b.Plugins, p.Plugin) {
				users = append(users, b.Name)
			}
		}
		if users != nil {
			broken = append(broken, p.Plugin)
			parts = append(parts, fault.Part{Field: "plugins." + string(p.Plugin), Message: "is used by the approved certification block " + strings.Join(users, ", ") + " and would have to be set up again"})
		}
	}
	if parts == nil {
		return nil, nil
	}
	return broken, &fault.Error{Kind: fault.Conflict, Code: "PLUGINS_IN_USE", Message: "letting the development channel go breaks plugins; say force to do it all the same", Parts: parts}
}

// PluginStore keeps the plugins and certification blocks of bots.
type PluginStore interface {
	// SetUpPlugin makes a plugin ready, and reports whether it was off. It refuses as [Plugin.Check] does.
	SetUpPlugin(ctx context.Context, id string, p Plugin, now time.Time) (set BotPlugin, fresh bool, err error)
	// ReviewPlugin says whether Kakao's own review of a plugin has passed.
	ReviewPlugin(ctx context.Context, id string, p Plugin, passed bool) (BotPlugin, error)
	// RemovePlugin turns a plugin off. It is a Conflict while a certification block uses it.
	RemovePlugin(ctx context.Context, id string, p Plugin, now time.Time) error
	// PutCertificationBlock makes or changes a block. It is a Conflict while a plugin of it is off.
	PutCertificationBlock(ctx context.Context, id string, b CertificationBlock) error
	// DropCertificationBlock takes a block away, NotFound without it.
	DropCertificationBlock(ctx context.Context, id, block string) error
}

// checkPlugin says that there is no such plugin.
func checkPlugin(field string, p Plugin) error {
	if !slices.Contains(Plugins, p) {
		return fault.Field(field, "must be one of %s", listed(Plugins))
	}
	return nil
}

func listed(plugins []Plugin) string {
	words := make([]string, len(plugins))
	for i, p := range plugins {
		words[i] = string(p)
	}
	return strings.Join(words, ", ")
}

// SetUpPlugin asks for a plugin, for the first time or again where it broke, and reports whether it was off.
// Where something is missing it is a Conflict that names all of it; see [Plugin.Check].
func (a *Admin) SetUpPlugin(ctx context.Context, id string, p Plugin) (set BotPlugin, fresh bool, err error) {
	if err := checkPlugin("plugin", p); err != nil {
		return BotPlugin{}, false, err
	}
	set, fresh, err = a.store.SetUpPlugin(ctx, id, p, a.now())
	if err != nil {
		return set, fresh, fmt.Errorf("set up plugin %s of bot %s: %w", p, id, err)
	}
	return set, fresh, nil
}

// ReviewPlugin says what Kakao says of a plugin of a bot: whether its own review has passed.
func (a *Admin) ReviewPlugin(ctx context.Context, id string, p Plugin, passed bool) (BotPlugin, error) {
	if err := checkPlugin("path.plugin", p); err != nil {
		return BotPlugin{}, err
	}
	if !p.Reviewable() {
		return BotPlugin{}, fault.Field("path.plugin", "is not reviewed by Kakao for each bot; location, payment and task_chain are")
	}
	set, err := a.store.ReviewPlugin(ctx, id, p, passed)
	if err != nil {
		return set, fmt.Errorf("review plugin %s of bot %s: %w", p, id, err)
	}
	return set, nil
}

// RemovePlugin turns a plugin off; what Kakao said of it stays. It is a Conflict while a certification
// block uses it.
func (a *Admin) RemovePlugin(ctx context.Context, id string, p Plugin) error {
	if err := checkPlugin("path.plugin", p); err != nil {
		return err
	}
	if err := a.store.RemovePlugin(ctx, id, p, a.now()); err != nil {
		return fmt.Errorf("remove plugin %s of bot %s: %w", p, id, err)
	}
	return nil
}

// PutCertificationBlock makes or changes a certification block.
func (a *Admin) PutCertificationBlock(ctx context.Context, id string, b CertificationBlock) (CertificationBlock, error) {
	b.Name = strings.TrimSpace(b.Name)
	if b.ID == "" || len(b.ID) > maxID || strings.ContainsFunc(b.ID, notOfID) {
		return b, fault.Field("path.block", "must be 1 to %d letters, digits, - and _; it is the block id that Kakao shows", maxID)
	}
	if err := CheckName(b.Name); err != nil {
		return b, err
	}
	if len(b.Plugins) == 0 {
		return b, fault.Field("plugins", "must name at least one of %s", listed(certifiable))
	}
	for i, p := range b.Plugins {
		switch field := fmt.Sprintf("plugins[%d]", i); {
		case !slices.Contains(certifiable, p):
			return b, fault.Field(field, "must be one of %s", listed(certifiable))
		case slices.Contains(b.Plugins[:i], p):
			return b, fault.Field(field, "stands twice in the list")
		}
	}
	if err := a.store.PutCertificationBlock(ctx, id, b); err != nil {
		return b, fmt.Errorf("put certification block %s of bot %s: %w", b.ID, id, err)
	}
	return b, nil
}

// DropCertificationBlock takes a certification block away.
func (a *Admin) DropCertificationBlock(ctx context.Context, id, block string) error {
	if err := a.store.DropCertificationBlock(ctx, id, block); err != nil {
		return fmt.Errorf("drop certification block %s of bot %s: %w", block, id, err)
	}
	return nil
}
