package intake

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/scenario"
)

type BotView struct {
	ID            string            `json:"id"`
	Name          string            `json:"name"`
	Wallet        string            `json:"wallet,omitempty"`
	RatePerSecond int               `json:"rate_per_second"`
	InFlight      int               `json:"in_flight"`
	Sending       *sendingView      `json:"sending,omitempty" doc:"When and to whom it sends broadcasts, where it is told"`
	Paused        *pauseView        `json:"paused,omitempty"`
	Members       []botMember       `json:"members,omitempty"`
	Channels      []channelView     `json:"channels,omitempty"`
	Blocks        int               `json:"blocks" doc:"How many the newest version has"`
	Version       int64             `json:"version" doc:"The newest, which the development channel runs; 0 while there is none"`
	LiveVersion   int64             `json:"live_version" doc:"What the live channel runs; 0 while there is none"`
	Talking       scenario.Settings `json:"talking" doc:"How it finds its answers, on both channels"`
	CreatedAt     time.Time         `json:"created_at"`
}

type sendingView struct {
	Hours     map[string]string `json:"hours,omitempty" doc:"By weekday, mon to sun, in Korea: 09:00-18:00. A day that is not named is closed; left out, it sends at any time"`
	Holidays  bool              `json:"holidays,omitempty" doc:"Hours count on public holidays too, which are closed otherwise"`
	Night     string            `json:"night,omitempty" doc:"When it sends no advertising to whoever has not agreed to that; 21:00-08:00, the law's, when left out, and never shorter"`
	AdConsent string            `json:"ad_consent,omitempty" enum:"friends,recorded" doc:"Who has agreed to advertising: friends of the channel who have not refused it, or only whom the list of consents names; friends, when left out"`
	Cap       *capView          `json:"cap,omitempty" doc:"How many messages one person gets within some days in Korea, today being one of them"`
	AdText    string            `json:"ad_text,omitempty" doc:"Key of event data under which the text of advertising stands; text, when left out"`
}

type capView struct {
	Messages int  `json:"messages" minimum:"1" maximum:"100"`
	Days     int  `json:"days" minimum:"1" maximum:"31" doc:"1 for a day, 7 for a week"`
	All      bool `json:"all,omitempty" doc:"Counts and leaves out notices too, not advertising alone"`
}

func (v sendingView) sending() bot.Sending {
	return bot.Sending{Cap: (*bot.Cap)(v.Cap), Hours: v.Hours, Holidays: v.Holidays, Night: v.Night, AdConsent: bot.AdConsent(v.AdConsent), AdText: v.AdText}
}

func viewSending(s bot.Sending) *sendingView {
	v := sendingView{Cap: (*capView)(s.Cap), Hours: s.Hours, Holidays: s.Holidays, Night: s.Night, AdConsent: string(s.AdConsent), AdText: s.AdText}
	if v.Hours == nil && !v.Holidays && v.Night == "" && v.Cap == nil && v.AdConsent == "" && v.AdText == "" {
		return nil
	}
	return &v
}

type pauseView struct {
	Reason string    `json:"reason" doc:"config: Kakao did not take the key; provider: Kakao's own balance is empty"`
	At     time.Time `json:"at"`
}

type botMember struct {
	Account string `json:"account"`
	Role    string `json:"role" enum:"master,operator,viewer"`
}

func viewBot(b bot.Bot) BotView {
	view := BotView{
		ID: b.ID, Name: b.Name, Wallet: b.WalletID, RatePerSecond: b.RatePerSecond, InFlight: b.InFlight,
		Sending: viewSending(b.Sending), Blocks: b.Blocks, Version: b.Version, LiveVersion: b.Live, Talking: b.Talking, CreatedAt: b.CreatedAt,
	}
	if b.PausedReason != "" {
		view.Paused = &pauseView{Reason: b.PausedReason, At: b.PausedAt}
	}
	for _, m := range b.Members {
		view.Members = append(view.Members, botMember{Account: m.AccountID, Role: string(m.Role)})
	}
	for _, c := range b.Channels {
		view.Channels = append(view.Channels, viewChannel(c))
	}
	return view
}

func botMembers(in []botMember) []bot.Member {
	members := make([]bot.Member, len(in))
	for i, m := range in {
		members[i] = bot.Member{AccountID: m.Account, Role: bot.Role(m.Role)}
	}
	return members
}

func (s *Server) addBots() {
	const group = "Bots"
	missing := []int{http.StatusNotFound}
	add(s, operation{route: "POST /api/v1/bots", id: "create-bot", group: group, summary: "Take a bot in", status: http.StatusCreated, errors: []int{http.StatusConflict}}, s.createBot)
	add(s, operation{route: "GET /api/v1/bots", id: "list-bots", group: group, summary: "List bots"}, s.listBots)
	add(s, operation{route: "GET /api/v1/bots/{id}", id: "get-bot", group: group, summary: "Show a bot with its people and channels", errors: missing}, s.getBot)
	add(s, operation{route: "PATCH /api/v1/bots/{id}", id: "change-bot", group: group, summary: "Change what is given of a bot", errors: missing}, s.changeBot)
	add(s, operation{route: "POST /api/v1/bots/{id}/skill-key", id: "rotate-skill-key", group: group, summary: "Make a new skill URL; the old one ends", errors: missing}, s.rotateSkillKey)
	add(s, operation{route: "POST /api/v1/bots/{id}/webhook-secret", id: "rotate-webhook-secret", group: group, summary: "Make a new secret that calls of the bot's skill servers are signed with", errors: missing}, s.rotateWebhookSecret)
	s.addExplain()
	s.addHeard()
	s.addTeach()
	add(s, operation{route: "POST /api/v1/bots/{id}/resume", id: "resume-bot", group: group, summary: "End the pause of a bot", errors: missing}, s.resumeBot)
}

type createBotInput struct {
	Body struct {
		ID            string      `json:"id" doc:"Kakao's bot id, without the ! of the development channel"`
		Name          string      `json:"name"`
		RestAPIKey    string      `json:"rest_api_key" writeOnly:"true" doc:"REST API key of the app that the channel is linked to; sealed, never shown"`
		Wallet        string      `json:"wallet,omitempty"`
		RatePerSecond int         `json:"rate_per_second,omitempty" doc:"People a second; 500, when left out"`
		InFlight      int         `json:"in_flight,omitempty" doc:"Event API requests at a time; 8, when left out"`
		Members       []botMember `json:"members,omitempty"`
	}
}

type newBotView struct {
	BotView
	SkillURL string `json:"skill_url" doc:"The address to enter at Kakao; shown this once"`
}

type skillURLView struct {
	SkillURL string `json:"skill_url" doc:"The address to enter at Kakao; shown this once"`
}

func (s *Server) skillURL(botID, key string) string {
	return s.config.PublicURL + "/skill/" + url.PathEscape(botID) + "/" + url.PathEscape(key)
}

func (s *Server) createBot(ctx context.Context, in *createBotInput) (*created[newBotView], error) {
	b, key, err := s.services.Bots.Create(ctx, bot.New{
		ID: in.Body.ID, Name: in.Body.Name, RestKey: in.Body.RestAPIKey, WalletID: in.Body.Wallet,
		RatePerSecond: in.Body.RatePerSecond, InFlight: in.Body.InFlight, Members: botMembers(in.Body.Members),
	})
	if err != nil {
		return nil, err
	}
	if b, err = s.services.Read.BotDetails(ctx, b.ID); err != nil {
		return nil, err
	}
	return &created[newBotView]{
		Location: "/api/v1/bots/" + b.ID, Body: newBotView{BotView: viewBot(b), SkillURL: s.skillURL(b.ID, key)},
	}, nil
}

func (s *Server) listBots(ctx context.Context, in *Paged) (*body[page[BotView]], error) {
	var after string
	if err := in.after(&after); err != nil {
		return nil, err
	}
	bots, err := s.services.Read.BotList(ctx, principalOf(ctx).Sight(), after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(*in, bots, func(b bot.Bot) any { return b.ID }, viewBot)
}

func (s *Server) getBot(ctx context.Context, in *ByID) (*body[BotView], error) {
	b, err := s.services.Read.BotDetails(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return reply(viewBot(b)), nil
}

type changeBotInput struct {
	ByID
	Body struct {
		Name          *string        `json:"name,omitempty"`
		RestAPIKey    *string        `json:"rest_api_key,omitempty" writeOnly:"true"`
		Wallet        *string        `json:"wallet,omitempty"`
		RatePerSecond *int           `json:"rate_per_second,omitempty"`
		InFlight      *int           `json:"in_flight,omitempty"`
		Sending       *sendingView   `json:"sending,omitempty" doc:"The whole of it: what is left out is as for a new bot"`
		Talking       *talkingChange `json:"talking,omitempty" doc:"What is left out stays as it is"`
		Members       *[]botMember   `json:"members,omitempty" doc:"The whole list"`
	}
}

type talkingChange struct {
	MinimumAccuracy *int  `json:"minimum_accuracy,omitempty" doc:"Score from which a knowledge item answers, 0 to 100"`
	ChooseWithin    *int  `json:"choose_within,omitempty" doc:"Answers whose scores are this close are offered to choose from, at most 30; 0 never"`
	HandoffAfter    *int  `json:"handoff_after,omitempty" doc:"Fallbacks in a row after which a person is offered, at most 20; 0 never"`
	SecurityLevel   *int  `json:"security_level,omitempty" doc:"1 to 4: how long utterances are kept"`
	PlainUserKeys   *bool `json:"plain_user_keys,omitempty" doc:"User keys are recorded as they are, not hashed"`
	WebhookCalls    *int  `json:"webhook_calls,omitempty" doc:"Calls of its skill servers at a time, per process, 1 to 256"`
}

func (s *Server) changeBot(ctx context.Context, in *changeBotInput) (*body[BotView], error) {
	change := bot.Change{
		Name: in.Body.Name, RestKey: in.Body.RestAPIKey, WalletID: in.Body.Wallet,
		RatePerSecond: in.Body.RatePerSecond, InFlight: in.Body.InFlight,
	}
	if in.Body.Sending != nil {
		sending := in.Body.Sending.sending()
		change.Sending = &sending
	}
	change.Talking = (*bot.TalkingChange)(in.Body.Talking)
	if in.Body.Members != nil {
		members := botMembers(*in.Body.Members)
		change.Members = &members
	}
	b, err := s.services.Bots.Change(ctx, in.ID, change)
	if err != nil {
		return nil, err
	}
	return reply(viewBot(b)), nil
}

func (s *Server) rotateSkillKey(ctx context.Context, in *ByID) (*body[skillURLView], error) {
	key, err := s.services.Bots.RotateKey(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return reply(skillURLView{SkillURL: s.skillURL(in.ID, key)}), nil
}

type webhookSecretView struct {
	Secret      string    `json:"secret" doc:"Calls of the bot's skill servers are signed with it; shown this once"`
	FormerUntil time.Time `json:"former_until,omitzero" doc:"Until then they are signed with the one before too; left out for the first"`
}

func (s *Server) rotateWebhookSecret(ctx context.Context, in *ByID) (*body[webhookSecretView], error) {
	secret, until, err := s.services.Bots.RotateWebhookSecret(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return reply(webhookSecretView{Secret: secret, FormerUntil: until}), nil
}

func (s *Server) resumeBot(ctx context.Context, in *ByID) (*body[BotView], error) {
	b, err := s.services.Bots.Resume(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return reply(viewBot(b)), nil
}
