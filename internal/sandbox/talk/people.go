package talk

import (
	"net/http"
	"strings"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/sandbox/answer"
)

// putBot is PUT /sandbox/bots/{bot}.
func (k *Kakao) putBot(w http.ResponseWriter, r *http.Request) {
	var settings Settings
	err := answer.Read(r, &settings)
	if err == nil && settings.SkillURL != "" {
		if why := k.options.MayCall(settings.SkillURL); why != nil {
			err = fault.Field("skill_url", "skill_url %v", why)
		}
	}
	switch {
	case err != nil:
	case settings.Concurrency == 0:
		settings.Concurrency = 8
	case settings.Concurrency < 0 || settings.Concurrency > 1000:
		err = fault.Field("skill_concurrency", "skill_concurrency is 1 to 1000")
	}
	if err != nil {
		answer.Problem(w, err)
		return
	}
	k.SetBot(r.PathValue("bot"), settings)
	settings.RestKey = "" // is never shown
	answer.JSON(w, http.StatusOK, settings)
}

// SetBot replaces the settings of a bot.
func (k *Kakao) SetBot(id string, settings Settings) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.bots[plainBot(id)] = &bot{Settings: settings, slots: make(chan struct{}, max(settings.Concurrency, 1))}
}

// registerPeople is POST /sandbox/people.
func (k *Kakao) registerPeople(w http.ResponseWriter, r *http.Request) {
	var people struct {
		IDs    []string `json:"ids"`
		Friend *bool    `json:"friend"`
	}
	err := answer.Read(r, &people)
	switch {
	case err != nil:
	case people.Friend == nil:
		err = fault.Field("friend", "friend is required")
	case len(people.IDs) == 0:
		err = fault.Field("ids", "ids names nobody")
	}
	if err != nil {
		answer.Problem(w, err)
		return
	}
	k.mu.Lock()
	for _, id := range people.IDs {
		k.friends[strings.TrimSpace(id)] = *people.Friend
	}
	k.mu.Unlock()
	answer.JSON(w, http.StatusOK, map[string]int{"registered": len(people.IDs)})
}
