package intake

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/malgil/malgil/internal/bot"
)

type pluginView struct {
	Plugin        bot.Plugin         `json:"plugin"`
	State         bot.PluginState    `json:"state" enum:"off,ready,needs_setup" doc:"needs_setup: it broke; ask for it again"`
	Cause         bot.Breakage       `json:"cause,omitempty" doc:"Why it needs to be set up again: development_disconnected or development_unlinked"`
	Since         time.Time          `json:"since,omitzero" doc:"Of its state"`
	Reviewed      *bool              `json:"reviewed,omitempty" doc:"Of a plugin that Kakao reviews for each bot: whether that has passed"`
	Prerequisites []prerequisiteView `json:"prerequisites" nullable:"false"`
}

type prerequisiteView struct {
	Field string        `json:"field" doc:"What of the bot tells whether it is met"`
	Met   bool          `json:"met"`
	Do    string        `json:"do,omitempty" doc:"What is missing and how to get it"`
	Days  *businessDays `json:"business_days,omitempty" doc:"What Kakao takes for it, where it says so"`
}

type businessDays struct {
	From int `json:"from"`
	To   int `json:"to"`
}

func viewPlugin(p bot.BotPlugin) pluginView {
	view := pluginView{Plugin: p.Plugin, State: p.State, Cause: p.Cause, Since: p.Since, Prerequisites: []prerequisiteView{}}
	if p.Plugin.Reviewable() {
		view.Reviewed = &p.Reviewed
	}
	for _, q := range p.Prerequisites {
		one := prerequisiteView{Field: q.Field, Met: q.Met}
		if !q.Met {
			one.Do = q.Do
			if q.Days != (bot.Days{}) {
				one.Days = &businessDays{q.Days.From, q.Days.To}
			}
		}
		view.Prerequisites = append(view.Prerequisites, one)
	}
	return view
}

func (s *Server) addPlugins() {
	const group = "Plugins"
	missing, conflict := []int{http.StatusNotFound}, []int{http.StatusNotFound, http.StatusConflict}
	add(s, operation{route: "GET /api/v1/bots/{id}/plugins", id: "list-plugins", group: group, summary: "List every plugin with what it asks of a bot", errors: missing}, s.listPlugins)
	add(s, operation{route: "POST /api/v1/bots/{id}/plugins", id: "set-up-plugin", group: group, summary: "Ask for a plugin, or set it up again", status: http.StatusCreated, errors: conflict}, s.setUpPlugin)
	add(s, operation{route: "PATCH /api/v1/bots/{id}/plugins/{plugin}", id: "review-plugin", group: group, summary: "Say what Kakao says of a plugin", errors: missing}, s.reviewPlugin)
	add(s, operation{route: "DELETE /api/v1/bots/{id}/plugins/{plugin}", id: "remove-plugin", group: group, summary: "Do without a plugin", status: http.StatusNoContent, errors: conflict}, s.removePlugin)
	add(s, operation{route: "GET /api/v1/bots/{id}/certification-blocks", id: "list-certification-blocks", group: group, summary: "List the certification blocks of a bot, and what of them is broken", errors: missing}, s.listCertificationBlocks)
	add(s, operation{route: "PUT /api/v1/bots/{id}/certification-blocks/{block}", id: "put-certification-block", group: group, summary: "Say what Kakao says of a certification block", errors: conflict}, s.putCertificationBlock)
	add(s, operation{route: "DELETE /api/v1/bots/{id}/certification-blocks/{block}", id: "drop-certification-block", group: group, summary: "Take a certification block away", status: http.StatusNoContent, errors: missing}, s.dropCertificationBlock)
}

func (s *Server) listPlugins(ctx context.Context, in *ByID) (*body[page[pluginView]], error) {
	found, err := s.services.Read.Plugins(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	list := page[pluginView]{Items: make([]pluginView, len(found))}
	for i, p := range found {
		list.Items[i] = viewPlugin(p)
	}
	return reply(list), nil
}

type setUpPluginInput struct {
	ByID
	Body struct {
		Plugin string `json:"plugin" doc:"kakao_sync, profile, location, secure_image, payment, task_chain or consult"`
	}
}

// setUpPluginOutput is 201 for a plugin that was off, 200 for one that was there.
type setUpPluginOutput struct {
	Status int
	Body   pluginView
}

func (s *Server) setUpPlugin(ctx context.Context, in *setUpPluginInput) (*setUpPluginOutput, error) {
	p, fresh, err := s.services.Bots.SetUpPlugin(ctx, in.ID, bot.Plugin(in.Body.Plugin))
	if err != nil {
		return nil, err
	}
	out := &setUpPluginOutput{Status: http.StatusOK, Body: viewPlugin(p)}
	if fresh {
		out.Status = http.StatusCreated
	}
	return out, nil
}

// PluginInput is the input of a route about one plugin of a bot.
type PluginInput struct {
	ByID
	Plugin string `path:"plugin" maxLength:"20"`
}

type reviewPluginInput struct {
	PluginInput
	Body struct {
		Reviewed bool `json:"reviewed" doc:"Kakao has checked the location business (위치기반서비스 사업자), or accepted the request form (신청서)"`
	}
}

func (s *Server) reviewPlugin(ctx context.Context, in *reviewPluginInput) (*body[pluginView], error) {
	p, err := s.services.Bots.ReviewPlugin(ctx, in.ID, bot.Plugin(in.Plugin), in.Body.Reviewed)
	if err != nil {
		return nil, err
	}
	return reply(viewPlugin(p)), nil
}

func (s *Server) removePlugin(ctx context.Context, in *PluginInput) (*none, error) {
	return nil, s.services.Bots.RemovePlugin(ctx, in.ID, bot.Plugin(in.Plugin))
}

type certificationView struct {
	ID       string       `json:"id" doc:"Kakao's block id"`
	Name     string       `json:"name"`
	Plugins  []bot.Plugin `json:"plugins" nullable:"false"`
	Approved bool         `json:"approved" doc:"Kakao has approved it"`
	Works    bool         `json:"works" doc:"It is approved, and every plugin of it is ready"`
	Broken   []brokenView `json:"broken,omitempty" doc:"Its plugins that need to be set up again"`
}

type brokenView struct {
	Plugin bot.Plugin   `json:"plugin"`
	Cause  bot.Breakage `json:"cause"`
	Since  time.Time    `json:"since"`
}

func viewCertification(b bot.CertificationBlock, plugins []bot.BotPlugin) certificationView {
	view := certificationView{ID: b.ID, Name: b.Name, Plugins: b.Plugins, Approved: b.Approved}
	for _, p := range plugins {
		if p.State == bot.PluginNeedsSetup && slices.Contains(b.Plugins, p.Plugin) {
			view.Broken = append(view.Broken, brokenView{p.Plugin, p.Cause, p.Since})
		}
	}
	view.Works = b.Approved && len(view.Broken) == 0
	return view
}

func (s *Server) listCertificationBlocks(ctx context.Context, in *ByID) (*body[page[certificationView]], error) {
	blocks, err := s.services.Read.CertificationBlocks(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	plugins, err := s.services.Read.Plugins(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	list := page[certificationView]{Items: make([]certificationView, len(blocks))}
	for i, b := range blocks {
		list.Items[i] = viewCertification(b, plugins)
	}
	return reply(list), nil
}

// CertificationInput is the input of a route about one certification block of a bot.
type CertificationInput struct {
	ByID
	Block string `path:"block" maxLength:"64"`
}

type putCertificationInput struct {
	CertificationInput
	Body struct {
		Name     string   `json:"name"`
		Plugins  []string `json:"plugins" nullable:"false" doc:"Some of kakao_sync, profile and location"`
		Approved bool     `json:"approved,omitempty" doc:"Kakao has approved it"`
	}
}

func (s *Server) putCertificationBlock(ctx context.Context, in *putCertificationInput) (*body[certificationView], error) {
	block := bot.CertificationBlock{ID: in.Block, Name: in.Body.Name, Approved: in.Body.Approved}
	for _, p := range in.Body.Plugins {
		block.Plugins = append(block.Plugins, bot.Plugin(p))
	}
	block, err := s.services.Bots.PutCertificationBlock(ctx, in.ID, block)
	if err != nil {
		return nil, err
	}
	plugins, err := s.services.Read.Plugins(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return reply(viewCertification(block, plugins)), nil
}

func (s *Server) dropCertificationBlock(ctx context.Context, in *CertificationInput) (*none, error) {
	return nil, s.services.Bots.DropCertificationBlock(ctx, in.ID, in.Block)
}
