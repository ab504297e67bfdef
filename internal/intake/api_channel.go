package intake

import (
	"context"
	"net/http"
	"time"

	"github.com/malgil/malgil/internal/bot"
)

type channelView struct {
	Side     bot.Side         `json:"side"`
	Name     string           `json:"name"`
	State    bot.ChannelState `json:"state"`
	Cause    bot.Cause        `json:"cause,omitempty" doc:"Why it is not connected: wallet (unpaid) or operator"`
	App      string           `json:"app,omitempty" doc:"Kakao app that it is linked to"`
	Verified bool             `json:"verified" doc:"A business channel"`
	Deployed bool             `json:"deployed" doc:"The blocks were deployed to it"`
}

func viewChannel(c bot.Channel) channelView {
	return channelView{Side: c.Side, Name: c.Name, State: c.State, Cause: c.Cause, App: c.AppID, Verified: c.Verified, Deployed: c.Deployed}
}

func (s *Server) addChannels() {
	const group = "Channels"
	missing, conflict := []int{http.StatusNotFound}, []int{http.StatusNotFound, http.StatusConflict}
	add(s, operation{route: "PUT /api/v1/bots/{id}/channels/{side}", id: "put-channel", group: group, summary: "Connect a channel of a bot, or rename it", errors: missing}, s.putChannel)
	add(s, operation{route: "PATCH /api/v1/bots/{id}/channels/{side}", id: "change-channel", group: group, summary: "Say what Kakao says of a channel", errors: conflict}, s.changeChannel)
	add(s, operation{route: "POST /api/v1/bots/{id}/channels/{side}/connect", id: "connect-channel", group: group, summary: "Connect a channel that is not connected", errors: conflict}, s.connectChannel)
	add(s, operation{route: "POST /api/v1/bots/{id}/channels/{side}/disconnect", id: "disconnect-channel", group: group, summary: "Disconnect a channel; broadcasts on it wait", errors: conflict}, s.disconnectChannel)
	add(s, operation{route: "PUT /api/v1/apps/{id}", id: "put-app", group: group, summary: "Say what Kakao says of an app"}, s.putApp)
	add(s, operation{route: "GET /api/v1/apps", id: "list-apps", group: group, summary: "List the Kakao apps that channels are linked to"}, s.listApps)
}

// ChannelInput is the input of a route about one channel of a bot.
type ChannelInput struct {
	ByID
	Side string `path:"side" maxLength:"20"`
}

type putChannelInput struct {
	ChannelInput
	Body struct {
		Name string `json:"name" doc:"Of the KakaoTalk channel"`
	}
}

func (s *Server) putChannel(ctx context.Context, in *putChannelInput) (*body[channelView], error) {
	return channelReply(s.services.Bots.PutChannel(ctx, in.ID, bot.Side(in.Side), in.Body.Name))
}

type changeChannelInput struct {
	ChannelInput
	Body struct {
		App      *string `json:"app,omitempty" doc:"An empty one unlinks it"`
		Verified *bool   `json:"verified,omitempty" doc:"A business channel (비즈니스 채널 인증)"`
		Deployed *bool   `json:"deployed,omitempty" doc:"The blocks were deployed to it (배포)"`
		Force    bool    `json:"force,omitempty" doc:"Unlink a development channel although that breaks plugins"`
	}
}

func (s *Server) changeChannel(ctx context.Context, in *changeChannelInput) (*body[channelView], error) {
	return channelReply(s.services.Bots.ChangeChannel(ctx, in.ID, bot.Side(in.Side), bot.ChannelChange{
		AppID: in.Body.App, Verified: in.Body.Verified, Deployed: in.Body.Deployed, Force: in.Body.Force,
	}))
}

func (s *Server) connectChannel(ctx context.Context, in *ChannelInput) (*body[channelView], error) {
	return channelReply(s.services.Bots.Connect(ctx, in.ID, bot.Side(in.Side)))
}

type disconnectChannelInput struct {
	ChannelInput
	Body *struct {
		Force bool `json:"force,omitempty" doc:"Disconnect a development channel although that breaks plugins"`
	}
}

func (s *Server) disconnectChannel(ctx context.Context, in *disconnectChannelInput) (*body[channelView], error) {
	force := in.Body != nil && in.Body.Force
	return channelReply(s.services.Bots.Disconnect(ctx, in.ID, bot.Side(in.Side), force))
}

func channelReply(c bot.Channel, err error) (*body[channelView], error) {
	if err != nil {
		return nil, err
	}
	return reply(viewChannel(c)), nil
}

type appView struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Verified  bool      `json:"verified" doc:"A biz-app"`
	KakaoSync bool      `json:"kakao_sync" doc:"Kakao Sync is linked"`
	CreatedAt time.Time `json:"created_at"`

	TermsReviewed        bool `json:"terms_reviewed" doc:"The terms of the simple signup"`
	PersonalDataNeeded   bool `json:"personal_data_needed" doc:"It uses personal-data items of Kakao Login that Kakao reviews"`
	PersonalDataReviewed bool `json:"personal_data_reviewed"`
}

func viewApp(a bot.App) appView { return appView(a) }

type putAppInput struct {
	ByID
	Body struct {
		Name      string `json:"name"`
		Verified  bool   `json:"verified,omitempty" doc:"A biz-app (비즈 앱): business certification passed"`
		KakaoSync bool   `json:"kakao_sync,omitempty" doc:"Kakao Sync (카카오싱크) is linked"`

		TermsReviewed        bool `json:"terms_reviewed,omitempty" doc:"Kakao has reviewed the terms of the simple signup (카카오 간편가입 약관)"`
		PersonalDataNeeded   bool `json:"personal_data_needed,omitempty" doc:"It uses personal-data items of Kakao Login (개인정보 동의항목) that Kakao reviews"`
		PersonalDataReviewed bool `json:"personal_data_reviewed,omitempty" doc:"Kakao has reviewed them"`
	}
}

func (s *Server) putApp(ctx context.Context, in *putAppInput) (*body[appView], error) {
	err := s.services.Bots.PutApp(ctx, bot.App{
		ID: in.ID, Name: in.Body.Name, Verified: in.Body.Verified, KakaoSync: in.Body.KakaoSync,
		TermsReviewed: in.Body.TermsReviewed, PersonalDataNeeded: in.Body.PersonalDataNeeded, PersonalDataReviewed: in.Body.PersonalDataReviewed,
	})
	if err != nil {
		return nil, err
	}
	a, err := s.services.Read.App(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return reply(viewApp(a)), nil
}

func (s *Server) listApps(ctx context.Context, in *Paged) (*body[page[appView]], error) {
	var after string
	if err := in.after(&after); err != nil {
		return nil, err
	}
	apps, err := s.services.Read.Apps(ctx, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(*in, apps, func(a bot.App) any { return a.ID }, viewApp)
}
