package intake

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/malgil/malgil/internal/access"
	"github.com/malgil/malgil/internal/bot"
	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/scenario"
)

type versionView struct {
	Version int64     `json:"version"`
	MadeAt  time.Time `json:"made_at"`
	MadeBy  string    `json:"made_by,omitempty" doc:"Account, or a token that stands for nobody"`
	Note    string    `json:"note,omitempty"`
	Blocks  int       `json:"blocks" doc:"How many"`
	Items   int       `json:"items" doc:"How many, of its knowledge base"`
	Newest  bool      `json:"newest" doc:"The development channel runs it"`
	Live    bool      `json:"live" doc:"The live channel runs it"`
}

func viewVersion(v bot.Version) versionView {
	return versionView{Version: v.Number, MadeAt: v.MadeAt, MadeBy: v.MadeBy, Note: v.Note, Blocks: v.Blocks, Items: v.Items, Newest: v.Newest, Live: v.Live}
}

type importedView struct {
	versionView
	Added  bool `json:"added" doc:"False where the newest version is the same; then that one is shown"`
	DryRun bool `json:"dry_run,omitempty" doc:"Nothing was stored"`
}

type deployView struct {
	Number     int64     `json:"number" doc:"Of the bot's deploys, from 1"`
	Version    int64     `json:"version"`
	At         time.Time `json:"at"`
	By         string    `json:"by,omitempty" doc:"Account, or a token that stands for nobody"`
	Reason     string    `json:"reason,omitempty"`
	RolledBack bool      `json:"rolled_back,omitempty" doc:"It brought an earlier version back"`
}

func viewDeploy(d bot.Deploy) deployView {
	return deployView{Number: d.Number, Version: d.Version, At: d.At, By: d.By, Reason: d.Reason, RolledBack: d.RolledBack}
}

// ByVersion is the input of a route about one version of a bot.
type ByVersion struct {
	ByID
	Version int64 `path:"version" minimum:"1" maximum:"1000000000"`
}

func (s *Server) addVersions() {
	const group = "Bots"
	missing, conflict := []int{http.StatusNotFound}, []int{http.StatusNotFound, http.StatusConflict}
	s.addImport(group)
	add(s, operation{route: "GET /api/v1/bots/{id}/versions", id: "list-versions", group: group, summary: "List the versions of a bot, the newest first", errors: missing}, s.listVersions)
	add(s, operation{route: "GET /api/v1/bots/{id}/versions/{version}", id: "get-version", group: group, summary: "Show a version of a bot", errors: missing}, s.getVersion)
	add(s, operation{route: "GET /api/v1/bots/{id}/versions/{version}/diff", id: "diff-version", group: group, summary: "What a version of a bot changes", errors: missing}, s.diffVersion)
	s.addVersionContent(group, missing)
	add(s, operation{route: "POST /api/v1/bots/{id}/versions/{version}/deploy", id: "deploy-version", group: group, summary: "Make a version live", errors: missing}, s.deployVersion)
	add(s, operation{route: "POST /api/v1/bots/{id}/rollback", id: "roll-back", group: group, summary: "Make live what was live before the last deploy", errors: conflict}, s.rollBack)
	add(s, operation{route: "GET /api/v1/bots/{id}/deploys", id: "list-deploys", group: group, summary: "List the deploys of a bot, the last first", errors: missing}, s.listDeploys)
	add(s, operation{route: "GET /api/v1/bots/{id}/blocks", id: "list-blocks", group: group, summary: "List the blocks that a side of a bot runs", errors: missing}, s.listBlocks)
}

func (s *Server) listVersions(ctx context.Context, in *struct {
	ByID
	Paged
}) (*body[page[versionView]], error) {
	var before int64
	if err := in.after(&before); err != nil {
		return nil, err
	}
	found, err := s.services.Read.Versions(ctx, in.ID, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(in.Paged, found, func(v bot.Version) any { return v.Number }, viewVersion)
}

func (s *Server) getVersion(ctx context.Context, in *ByVersion) (*body[versionView], error) {
	v, err := s.services.Read.Version(ctx, in.ID, in.Version)
	if err != nil {
		return nil, err
	}
	return reply(viewVersion(v)), nil
}

// reasonOf is why a call is made, which the audit log keeps, too: what its body says, or its header.
func reasonOf(ctx context.Context, said string) (string, error) {
	deed := access.DeedOf(ctx)
	if said == "" {
		return deed.Reason, nil
	}
	text, err := access.ParseReason(said)
	if err != nil {
		return "", fault.Field("reason", "%v", err)
	}
	deed.Reason = text
	return text, nil
}

func (s *Server) deployVersion(ctx context.Context, in *struct {
	ByVersion
	Body *struct {
		Reason string `json:"reason,omitempty" doc:"Kept with it and in the audit log; that of the header Malgil-Reason, when left out"`
	}
}) (*body[deployView], error) {
	said := ""
	if in.Body != nil {
		said = in.Body.Reason
	}
	reason, err := reasonOf(ctx, said)
	if err != nil {
		return nil, err
	}
	d, err := s.services.Bots.Deploy(ctx, in.ID, in.Version, actorOf(ctx), reason)
	if err != nil {
		return nil, err
	}
	return reply(viewDeploy(d)), nil
}

func (s *Server) rollBack(ctx context.Context, in *struct {
	ByID
	Body *struct {
		From   int64  `json:"from,omitempty" minimum:"1" doc:"The version that is live; where another is, nothing is done: so the call can be repeated"`
		Reason string `json:"reason,omitempty" doc:"As of a deploy"`
	}
}) (*body[deployView], error) {
	var from int64
	var said string
	if in.Body != nil {
		from, said = in.Body.From, in.Body.Reason
	}
	reason, err := reasonOf(ctx, said)
	if err != nil {
		return nil, err
	}
	d, err := s.services.Bots.RollBack(ctx, in.ID, from, actorOf(ctx), reason)
	if err != nil {
		return nil, err
	}
	return reply(viewDeploy(d)), nil
}

func (s *Server) listDeploys(ctx context.Context, in *struct {
	ByID
	Paged
}) (*body[page[deployView]], error) {
	var before int64
	if err := in.after(&before); err != nil {
		return nil, err
	}
	found, err := s.services.Read.Deploys(ctx, in.ID, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(in.Paged, found, func(d bot.Deploy) any { return d.Number }, viewDeploy)
}

type diffInput struct {
	ByVersion
	From int64 `query:"from" minimum:"-1" maximum:"1000000000" default:"-1" doc:"The version to compare with, 0 for none; -1 for the one that is live"`
}

type diffView struct {
	From int64 `json:"from" doc:"0 where nothing is compared with"`
	To   int64 `json:"to"`
	bot.Difference
}

func (s *Server) diffVersion(ctx context.Context, in *diffInput) (*body[diffView], error) {
	from := in.From
	if from < 0 {
		b, err := s.services.Read.BotDetails(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		from = b.Live
	}
	var before scenario.Content
	var err error
	if from != 0 {
		if before, err = s.services.Read.BotContent(ctx, in.ID, from); err != nil {
			return nil, err
		}
	}
	after, err := s.services.Read.BotContent(ctx, in.ID, in.Version)
	if err != nil {
		return nil, err
	}
	return reply(diffView{From: from, To: in.Version, Difference: bot.Compare(before, after)}), nil
}

type blockView struct {
	ID        string          `json:"id" doc:"Kakao's block id"`
	Name      string          `json:"name"`
	Kind      string          `json:"kind" enum:"welcome,fallback,exit,normal"`
	Says      []string        `json:"says,omitempty" doc:"Example utterances, besides the name"`
	EventName string          `json:"event_name,omitempty" doc:"What a broadcast fires"`
	Callback  bool            `json:"callback,omitempty" doc:"Kakao has callback switched on for it"`
	DelayMS   int64           `json:"delay_ms,omitempty" doc:"Holds the answer back"`
	Server    string          `json:"server,omitempty" doc:"The skill server that answers"`
	Answer    json.RawMessage `json:"answer,omitempty" doc:"Template of a skill response 2.0: outputs and quickReplies"`
}

type listBlocksInput struct {
	ByID
	Side string `query:"side" enum:"live,development" default:"development" doc:"development runs the newest version"`
}

func (s *Server) listBlocks(ctx context.Context, in *listBlocksInput) (*body[page[blockView]], error) {
	b, err := s.services.Read.BotDetails(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	version := b.Version
	if bot.Side(in.Side) == bot.Live {
		version = b.Live
	}
	list := page[blockView]{Items: []blockView{}}
	if version == 0 {
		return reply(list), nil
	}
	content, err := s.services.Read.BotContent(ctx, in.ID, version)
	if err != nil {
		return nil, err
	}
	for _, b := range content.Blocks {
		v := blockView{ID: b.ID, Name: b.Name, Kind: string(b.Kind), Says: b.Says, EventName: b.Event, Callback: b.Callback, DelayMS: b.Delay.Milliseconds()}
		if b.Webhook != nil {
			v.Server = b.Webhook.Server
		}
		if b.Answer != nil {
			if v.Answer, err = json.Marshal(b.Answer); err != nil {
				return nil, fmt.Errorf("encode the answer of block %s: %w", b.ID, err)
			}
		}
		list.Items = append(list.Items, v)
	}
	return reply(list), nil
}
