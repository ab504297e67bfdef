package talk

import (
	"errors"
	"maps"
)

// echo calls the bot's skill for people of an accepted send, as Kakao does for a block that uses
// one: a few at a time for each bot, until the sandbox closes.
func (k *Kakao) echo(t *task, settings *bot, r sendRequest, people []int) {
	k.calls.Go(func() {
		for _, index := range people {
			select {
			case settings.slots <- struct{}{}:
			case <-k.ctx.Done():
				return
			}
			k.calls.Go(func() {
				defer func() { <-settings.slots }()
				p := r.User[index]
				got := k.callSkill(k.ctx, settings.SkillURL, echoPayload(t, settings, r, p))
				if k.ctx.Err() != nil {
					return
				}
				var err error
				if got.Problem != "" {
					err = errors.New(got.Problem)
				}
				k.skillDone(t, index, p, err)
			})
		}
	})
}

// echoPayload is the call for one person: the params of the send call in userRequest.params, the
// person's properties beside Kakao's own.
func echoPayload(t *task, settings *bot, r sendRequest, p person) skillPayload {
	key := p.ID
	if p.Type != "botUserKey" {
		key = "bu-" + p.ID
	}
	block := named{ID: settings.Block.ID, Name: settings.Block.Name}
	payload := newPayload(t.channel, block, key, true)
	payload.UserRequest.User.Properties[p.Type] = p.ID
	for name, value := range p.Properties {
		payload.UserRequest.User.Properties[name] = value
	}
	maps.Copy(payload.UserRequest.Params, r.Params)
	payload.UserRequest.Utterance = r.Event.Name
	return payload
}
