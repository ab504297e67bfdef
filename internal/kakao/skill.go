// Package kakao is the wire to Kakao: the skill webhook (request, response and the limits of
// both), the callback, and the Event API. It knows shapes and limits, and no rule of ours.
package kakao

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/malgil/malgil/internal/fault"
)

// MaxDepth is how deep the JSON of a request may nest.
const MaxDepth = 32

// SkillRequest is what Kakao posts to a skill (스킬): SkillPayload, flattened. Whatever Kakao
// left out, sent as null or sent in another type is the zero value of its field.
type SkillRequest struct {
	Bot    Named // ID keeps its development mark; see [SkillRequest.BotID]
	Intent Intent
	Action Action

	Utterance   string // as the user said it, without newlines at its end
	Lang        string // "ko" for both of Kakao's spellings, "" in the admin centre's skill test
	Timezone    string
	Params      map[string]string // surface, ignoreMe, media, and the params of an Event API call
	Block       Named             // the block (블록) that reacted
	CallbackURL string            // where a late answer goes, once, within a minute; "" without callback, and in a test tool
	User        User
	Chat        Chat // group bots only
	Contexts    []json.RawMessage
	Flow        Flow
}

// Named is a thing of the admin centre: a bot, a block, a skill.
type Named struct{ ID, Name string }

// Intent is the block or the knowledge that matched.
type Intent struct {
	Named
	Knowledge []Knowledge // what Kakao's own knowledge base (지식+) matched, best first
}

// Knowledge is one matched item of Kakao's knowledge base.
type Knowledge struct {
	Categories           []string // four levels
	Question, Answer     string
	LandingURL, ImageURL string
}

// Action is the skill that was called and what was extracted for it. A value that is no string
// is kept as its JSON text.
type Action struct {
	Named
	Params       map[string]string
	DetailParams map[string]DetailParam
	ClientExtra  map[string]string // extra of the button that was touched; empty when typed
}

// DetailParam is one extracted value with the piece of the utterance it came from.
type DetailParam struct{ GroupName, Origin, Value string }

// User is who speaks.
type User struct {
	ID, Type   string
	Properties map[string]string // botUserKey, plusfriendUserKey, appUserId, isFriend, and ours
}

// Chat is the group chat room of a group bot.
type Chat struct{ ID, Type string }

// Flow is how the user got here; older payloads have none.
type Flow struct {
	Trigger                  string // TEXT_INPUT, QUICKREPLY_BUTTON_BLOCK, …
	ReferrerBlock, LastBlock Named
}

// SkimSkillRequest checks that a skill payload can be read, and reads it only when it may hold one of
// the words: whole tells. The error is that of [ParseSkillRequest], which then cannot fail.
func SkimSkillRequest(body []byte, words ...string) (r SkillRequest, whole bool, err error) {
	whole = bytes.Contains(body, []byte(`\u`)) // an escape may hide a word
	for _, word := range words {
		whole = whole || bytes.Contains(body, []byte(word))
	}
	if whole {
		r, err = ParseSkillRequest(body)
		return r, true, err
	}
	body = bytes.Trim(bytes.TrimPrefix(body, []byte("\ufeff")), " \t\r\n") // what JSON calls white space
	switch {
	case deeperThan(body, MaxDepth):
		return r, false, errTooDeep()
	case len(body) == 0 || body[0] != '{' || !json.Valid(body):
		return r, false, errNoObject()
	}
	return r, false, nil
}

func errTooDeep() error {
	return fault.New(fault.Invalid, "the skill payload nests deeper than %d levels", MaxDepth)
}

// errNoObject does not keep the cause, which may quote the user's words.
func errNoObject() error { return fault.New(fault.Invalid, "the skill payload is not a JSON object") }

// ParseSkillRequest reads a skill payload. Only a body that is no JSON object, or nests deeper
// than [MaxDepth], is an error (Invalid); every field is optional and unknown ones are ignored.
func ParseSkillRequest(body []byte) (SkillRequest, error) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	if deeperThan(body, MaxDepth) {
		return SkillRequest{}, errTooDeep()
	}
	top := asObject(bytes.Trim(body, " \t\r\n")) // what JSON calls white space
	if top == nil {
		return SkillRequest{}, errNoObject()
	}
	intent, action, said := top.object("intent"), top.object("action"), top.object("userRequest")
	user, chat, flow := said.object("user"), said.object("chat"), top.object("flow")
	trigger := flow.object("trigger")
	r := SkillRequest{
		Bot:    top.named("bot"),
		Intent: Intent{Named: top.named("intent"), Knowledge: knowledge(intent.object("extra"))},
		Action: Action{
			Named:        top.named("action"),
			Params:       action.texts("params"),
			DetailParams: detailParams(action.object("detailParams")),
			ClientExtra:  action.texts("clientExtra"),
		},
		Utterance:   strings.TrimRight(said.text("utterance"), "\r\n"),
		Lang:        language(said.text("lang")),
		Timezone:    said.text("timezone"),
		Params:      said.texts("params"),
		Block:       said.named("block"),
		CallbackURL: strings.TrimSpace(said.text("callbackUrl")),
		User:        User{ID: user.text("id"), Type: user.text("type"), Properties: user.texts("properties")},
		Chat:        Chat{ID: chat.text("id"), Type: chat.text("type")},
		Contexts:    top.list("contexts"),
		Flow: Flow{
			Trigger:       trigger.text("type"),
			ReferrerBlock: trigger.named("referrerBlock"),
			LastBlock:     flow.named("lastBlock"),
		},
	}
	if r.Testing() { // Kakao takes no callback from there ("Invalid callback token for testing purposes.")
		r.CallbackURL = ""
	}
	return r, nil
}

// developmentMark ends the bot id of a call from the development channel (개발채널).
const developmentMark = "!"

// BotID returns the bot's id without the development mark.
func (r SkillRequest) BotID() string { return strings.TrimSuffix(r.Bot.ID, developmentMark) }

// Development reports whether the call comes from the development channel.
func (r SkillRequest) Development() bool { return strings.HasSuffix(r.Bot.ID, developmentMark) }

// UserKey returns the key that names the speaker to this bot, "" when the call names nobody.
func (r SkillRequest) UserKey() string {
	for _, key := range []string{r.User.ID, r.User.Properties["botUserKey"], r.User.Properties["bot_user_key"]} {
		if key != "" {
			return key
		}
	}
	return ""
}

// IsFriend reports whether the speaker added the channel. Kakao sends the mark only when it is
// true, so its absence means no.
func (r SkillRequest) IsFriend() bool { return r.User.Properties["isFriend"] == "true" }

// Typed reports whether the user typed the words, rather than touched a button or quick reply.
func (r SkillRequest) Typed() bool { return len(r.Action.ClientExtra) == 0 }

// Testing reports whether the call comes from a test tool of the admin centre, which cannot
// complete a callback.
func (r SkillRequest) Testing() bool {
	return r.Params["surface"] == "BuilderBotTest" || r.Params["ignoreMe"] == "true"
}

func language(lang string) string {
	if lang == "kr" { // the guide writes both
		return "ko"
	}
	return lang
}

// knowledge reads the matched items. The guide's heading says "knowledges" and its sample
// "knowledge"; under either name they may stand directly or as matchedKnowledges.
func knowledge(extra object) []Knowledge {
	for _, name := range []string{"knowledge", "knowledges"} {
		items := extra.object(name).list("matchedKnowledges")
		if items == nil {
			items = extra.list(name)
		}
		var all []Knowledge
		for _, item := range items {
			o := fieldsOf(item)
			if o == nil {
				continue
			}
			k := Knowledge{
				Question: o.text("question"), Answer: o.text("answer"),
				LandingURL: o.text("landingUrl"), ImageURL: o.text("imageUrl"),
			}
			for _, category := range o.list("categories") {
				k.Categories = append(k.Categories, scalar(category))
			}
			all = append(all, k)
		}
		if all != nil {
			return all
		}
	}
	return nil
}

func detailParams(o object) map[string]DetailParam {
	if len(o) == 0 {
		return nil
	}
	all := make(map[string]DetailParam, len(o))
	for _, f := range o {
		detail := fieldsOf(f.value)
		all[f.name()] = DetailParam{
			GroupName: detail.text("groupName"), Origin: detail.text("origin"), Value: anyText(detail.value("value")),
		}
	}
	return all
}
